//! Tables on standard output: aligned columns without lines, that fit the terminal.

use comfy_table::CellAlignment::{self, Left, Right};
use comfy_table::{ContentArrangement, Table, presets};

use super::terminal::{Stream, width};

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

/// A table as wide as it needs, at most as the terminal.
pub fn aligned<const N: usize>(
    alignment: [CellAlignment; N],
    header: Option<[&str; N]>,
    rows: impl IntoIterator<Item = [String; N]>,
) -> String {
    within(width(Stream::Output), alignment, header, rows)
}

/// Two spaces separate the columns; one does if the table would be too wide. Where that is not
/// enough, texts are broken within their cells.
fn within<const N: usize>(
    max_width: usize,
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
    let content = usize::from(content);
    let gap = if content + 2 * (N - 1) > max_width { 1 } else { 2 };
    if content + N > max_width {
        let max_width = u16::try_from(max_width).unwrap_or(u16::MAX);
        table.set_content_arrangement(ContentArrangement::Dynamic).set_width(max_width);
    }
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
        let width = |cell| {
            within(79, [Left; 10], None, [row([cell; 10])]).lines().next().unwrap().chars().count()
        };
        assert_eq!(["123456", "1234567"].map(width), [78, 79]);
    }

    #[test]
    fn a_text_that_is_too_long_is_broken_within_its_cell() {
        let rows = [row(["wgpu", "not part of this build"]), row(["flex", "CPU"])];
        let lines = ["wgpu not part of", "     this build", "flex CPU"];
        let table = within(18, [Left; 2], None, rows);
        assert_eq!(table, lines.join("\n"));
    }
}
