//! Tables on standard output: aligned columns without lines, that fit a terminal of 80 columns.

use comfy_table::CellAlignment::{self, Left, Right};
use comfy_table::{ContentArrangement, Table, presets};

/// Widest line that a terminal of 80 columns shows without a break.
const MAX_WIDTH: usize = 79;

/// The header, which may have several lines, and the rows. The first column names the rows and is
/// aligned left; the others hold numbers and are aligned right.
pub fn numbers<const N: usize>(
    header: [&str; N],
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let alignment = std::array::from_fn(|column| if column == 0 { Left } else { Right });
    aligned(alignment, Some(header), rows)
}

/// Rows of text without a header, all aligned left.
pub fn text<const N: usize>(rows: impl IntoIterator<Item = [String; N]>) -> String {
    aligned([Left; N], None, rows)
}

/// Two spaces separate the columns; one does if the table would be too wide.
pub fn aligned<const N: usize>(
    alignment: [CellAlignment; N],
    header: Option<[&str; N]>,
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    let mut table = Table::new();
    table.load_style(presets::NOTHING).set_content_arrangement(ContentArrangement::Disabled);
    if let Some(header) = header {
        table.set_header(header);
    }
    table.add_rows(rows);
    let content: u16 = table.column_max_content_widths().iter().sum();
    let gap = if usize::from(content) + 2 * (N - 1) > MAX_WIDTH { 1 } else { 2 };
    for (column, alignment) in table.column_iter_mut().zip(alignment) {
        let is_first = column.index == 0;
        column.set_padding((if is_first { 0 } else { gap }, 0)).set_cell_alignment(alignment);
    }
    table.trim_fmt()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn row<const N: usize>(cells: [&str; N]) -> [String; N] {
        cells.map(str::to_owned)
    }

    #[test]
    fn names_are_aligned_left_and_numbers_right_below_their_headers() {
        let rows = [row(["relu", "97.52 %"]), row(["leaky-relu", "∞"])];
        let lines = [
            "name        accuracy",
            "             in test",
            "relu         97.52 %",
            "leaky-relu         ∞",
        ];
        assert_eq!(numbers(["name", "accuracy\nin test"], rows), lines.join("\n"));
    }

    #[test]
    fn columns_move_closer_before_a_table_becomes_too_wide() {
        // Ten cells of 6 and nine gaps of 2 are 78; of 7, with gaps of 1, they are 79.
        let width = |cell| text([row([cell; 10])]).chars().count();
        assert_eq!(["123456", "1234567"].map(width), [78, 79]);
    }
}
