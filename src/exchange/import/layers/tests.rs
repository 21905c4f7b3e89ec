//! Recognising layers, and the errors when they are not recognised.

use super::*;

type Names = [(String, String); 4];

/// Pairs such as `fc1.weight` and `fc1.bias`.
fn named(stems: [&str; 4], weight: &str, bias: &str) -> Names {
    stems.map(|stem| (format!("{stem}{weight}"), format!("{stem}{bias}")))
}

fn fc() -> Names {
    named(["fc1", "fc2", "fc3", "fc4"], ".weight", ".bias")
}

/// The shapes of layers with these names and widths.
fn shapes(
    names: &Names,
    widths: [usize; 5],
    orientation: Orientation,
) -> BTreeMap<String, Vec<usize>> {
    let mut shapes = BTreeMap::new();
    for ((weight, bias), ends) in names.iter().zip(widths.windows(2)) {
        let (inputs, outputs) = (ends[0], ends[1]);
        let shape = match orientation {
            Orientation::OutIn => vec![outputs, inputs],
            Orientation::InOut => vec![inputs, outputs],
        };
        shapes.insert(weight.clone(), shape);
        shapes.insert(bias.clone(), vec![outputs]);
    }
    shapes
}

const WIDTHS: [usize; 5] = [784, 256, 128, 64, 10];

#[test]
fn common_names_are_recognised_in_order() {
    for names in [
        fc(),
        named(["0", "2", "4", "6"], ".weight", ".bias"),
        named(["layers.7", "layers.8", "layers.9", "layers.10"], ".weight", ".bias"),
        named(["W1", "W2", "W3", "W4"], "", "").map(|(w, _)| (w.clone(), w.replace('W', "b"))),
        named(["fc1", "fc2", "fc3", "fc4"], "_weight", "_bias"),
        named(["module.a", "module.b", "module.c", "module.d"], ".weight", ".bias"),
        // Ordered by shape alone: the names sort differently.
        named(["input", "hidden2", "hidden1", "output"], ".weight", ".bias"),
    ] {
        let found = recognise(shapes(&names, WIDTHS, Orientation::OutIn)).unwrap();
        assert_eq!(found.orientation, Orientation::OutIn);
        assert_eq!(found.layers.map(|layer| (layer.weight, layer.bias.unwrap())), names);
    }
}

#[test]
fn keras_orientation_is_recognised_by_shape() {
    let names = named(["dense", "dense_1", "dense_2", "dense_3"], "/kernel:0", "/bias:0");
    let found = recognise(shapes(&names, WIDTHS, Orientation::InOut)).unwrap();
    assert_eq!(found.orientation, Orientation::InOut);
    assert_eq!(found.layers.map(|layer| layer.outputs), [256, 128, 64, 10]);
    // [in, out] = [2, 3] with rows (1 2 3) and (4 5 6): the rows of [out, in] are its columns.
    let weight = vec![1.0, 2.0, 3.0, 4.0, 5.0, 6.0];
    assert_eq!(Orientation::InOut.to_out_in(weight, 3), [1.0, 4.0, 2.0, 5.0, 3.0, 6.0]);
}

#[test]
fn the_other_tensors_of_a_checkpoint_are_ignored() {
    let names = named(["model.0", "model.2", "model.4", "model.6"], ".weight", ".bias");
    let mut checkpoint = shapes(&names, WIDTHS, Orientation::OutIn);
    checkpoint.insert("optimizer.state.0.exp_avg".to_owned(), vec![256, 784]);
    assert_eq!(recognise(checkpoint).unwrap().layers[3].weight, "model.6.weight");
}

#[test]
fn every_wrong_shape_is_named() {
    let mut wrong = shapes(&fc(), [1024, 256, 128, 64, 26], Orientation::OutIn);
    wrong.insert("fc2.bias".to_owned(), vec![127]);
    let message = recognise(wrong).unwrap_err().to_string();
    for words in [
        "fc1.weight [256, 1024] has 1024 inputs, but there are 784 pixels",
        "fc2.bias has 127 values, but fc2 has 128 outputs",
        "fc4.weight [26, 64] has 26 outputs, but there are 10 digits",
    ] {
        assert!(message.contains(words), "{message}");
    }
}

#[test]
fn each_way_not_to_be_such_a_network_has_its_message() {
    type Shapes = BTreeMap<String, Vec<usize>>;
    let refused = |change: &dyn Fn(&mut Shapes), words: &str| {
        let mut shapes = shapes(&fc(), WIDTHS, Orientation::OutIn);
        change(&mut shapes);
        let message = recognise(shapes).unwrap_err().to_string();
        assert!(message.contains(words), "“{words}” is missing in: {message}");
    };
    let with = |name: &'static str, shape: &'static [usize]| {
        move |shapes: &mut Shapes| drop(shapes.insert(name.into(), shape.into()))
    };
    let without = |name: &'static str| move |shapes: &mut Shapes| drop(shapes.remove(name));
    refused(&with("conv.weight", &[6, 1, 5, 5]), "the tensor conv.weight with shape [6, 1, 5, 5]");
    refused(&with("bn.running_mean", &[256]), "the tensor bn.running_mean with shape [256]");
    refused(
        &with("fc1.kernel", &[256, 784]),
        "fc1.kernel and fc1.weight are both the same parameter of one layer",
    );
    refused(&without("fc3.bias"), "the layer fc3 has no bias, but the layer fc1 has one");
    refused(&without("fc3.weight"), "the bias fc3.bias has no matching weight");
    refused(
        &|shapes| shapes.retain(|name, _| name.starts_with("fc1")),
        "found 1 layer, but this network has 4, 784 → a → b → c → 10: fc1.weight [256, 784]",
    );
    refused(&BTreeMap::clear, "found no layers, but this network has 4");
}

#[test]
fn layers_that_fit_in_two_orders_are_ordered_by_name_or_refused() {
    let square = [784, 64, 64, 64, 10];
    let in_order = named(["a", "b", "c", "d"], ".weight", ".bias");
    let found = recognise(shapes(&in_order, square, Orientation::OutIn)).unwrap();
    assert_eq!(found.layers[1].weight, "b.weight");
    let ends_swapped = named(["d", "b", "c", "a"], ".weight", ".bias");
    let error = recognise(shapes(&ends_swapped, square, Orientation::OutIn)).unwrap_err();
    assert!(matches!(error, LayersError::AmbiguousOrder(_)), "{error}");
}
