//! One image forward through a trained network and the gradient back, in numbers: logits, sigmoid,
//! softmax, loss, and the gradients of two weights by the chain rule. They are compared with Burn's
//! automatic differentiation, and with the difference quotient of the loss.
//!
//! The image is the first of MNIST's validation images that the model gets wrong: where it is
//! right, the gradients are close to 0.
//!
//!     cargo run --release --example backpropagation -- RUN

use std::env;
use std::error::Error;
use std::path::PathBuf;

use burn::module::Param;
use burn::nn::Linear;
use burn::tensor::{Int, Tensor};
use burn_digits::backend;
use burn_digits::classifier::{Classifier, argmax, softmax};
use burn_digits::data::source::{Source, Split};
use burn_digits::evaluate::mean_loss;
use burn_digits::model::{CLASSES, HiddenActivation, Model, PIXELS};
use burn_digits::saved::SavedModel;
use fused_ops::{LossOptions, cross_entropy};

/// How far a weight is moved in each direction for the difference quotient. The step is large
/// because logits are `f32`: their rounding would show in a smaller difference.
const STEP: f32 = 0.01;

fn main() -> Result<(), Box<dyn Error>> {
    let Some(run) = env::args_os().nth(1).map(PathBuf::from) else {
        return Err("usage: backpropagation RUN (the folder of a finished run)".into());
    };
    let saved = SavedModel::load(&run)?;
    if saved.metadata.model.activation != HiddenActivation::Relu {
        return Err("the derivative in this example is that of ReLU: train with relu".into());
    }
    let device = backend::select(None)?.device;
    let classifier = Classifier::new(&saved, run.display().to_string(), &device);

    let (train, valid) = Source::find(None)?.load(Split::Train)?.images.split_validation();
    let logits = classifier.logits(valid.len(), |index| valid.values(index))?;
    let is_wrong = |&index: &usize| argmax(&logits[index]) != usize::from(valid.labels()[index]);
    let Some(index) = (0..valid.len()).find(is_wrong) else {
        return Err("the model gets every validation image right".into());
    };
    let (z, label) = (logits[index], valid.labels()[index]);
    let pixels = fused_ops::tensor(valid.values(index).collect(), [1, PIXELS], &device);

    // Forward: h₂ and h₃ are the outputs of the second and the third layer, p the probabilities.
    let [_, h2, h3, _] = classifier.model().features(pixels.clone());
    let (h2, h3): (Vec<f32>, Vec<f32>) = (h2.try_into_vec_as()?, h3.try_into_vec_as()?);
    let p = softmax(&z, 1.0);
    let y: [f32; CLASSES] = std::array::from_fn(|k| f32::from(u8::from(k == usize::from(label))));

    // Backward: ∂L/∂z = p − y, then ∂L/∂h₃[j] = Σₖ w₄[j, k] ∂L/∂z[k].
    let dz: [f32; CLASSES] = std::array::from_fn(|k| p[k] - y[k]);
    let w4: Vec<f32> = classifier.model().layers()[3].weight.val().try_into_vec_as()?;
    let w4 = w4.as_chunks::<CLASSES>().0;
    let dh3 = |j: usize| -> f32 { w4[j].iter().zip(dz).map(|(w, d)| w * d).sum() };
    // ReLU's derivative is 1 where its input is positive, and so its output.
    let slope = |j: usize| if h3[j] > 0.0 { 1.0 } else { 0.0 };

    // The unit of the second layer with the largest output, and of the third with the largest
    // gradient.
    let largest = |len: usize, size: &dyn Fn(usize) -> f32| {
        (1..len).fold(0, |best, unit| if size(unit) > size(best) { unit } else { best })
    };
    let i = largest(h2.len(), &|i| h2[i]);
    let j = largest(h3.len(), &|j| (dh3(j) * slope(j)).abs());

    println!("training image {}, held out for validation", train.len() + index);
    println!("class index {label}, prediction {}\n", argmax(&z));
    let w = format!("w₄[{j},k]");
    println!("  k  logit z  sigmoid  softmax p  one-hot y    p − y  {w:>8}  w₄ · (p − y)");
    let sigmoid = z.map(|z| 1.0 / (1.0 + (-z).exp()));
    for k in 0..CLASSES {
        println!(
            "{k:3}  {:7.4}  {:7.4}  {:9.4}  {:9}  {:7.4}  {:8.4}  {:12.4}",
            z[k],
            sigmoid[k],
            p[k],
            y[k],
            dz[k],
            w4[j][k],
            w4[j][k] * dz[k]
        );
    }
    let sum = |values: [f32; CLASSES]| values.iter().sum::<f32>();
    println!(
        "sum           {:7.4}  {:9.4}  {:9}  {:7.4}            {:12.4}\n",
        sum(sigmoid),
        sum(p),
        sum(y),
        sum(dz).abs(),
        dh3(j)
    );
    let digit = usize::from(label);
    println!("L = −ln p[{digit}] = {:.4}", mean_loss(&[z], &[label], 1.0));

    let compare = |by_hand: f32, layer: usize, at: [usize; 2]| -> Result<(), Box<dyn Error>> {
        let by_burn = by_burn(&saved, pixels.clone(), label, layer, at)?;
        let quotient = difference_quotient(classifier.model(), &pixels, label, layer, at)?;
        println!("  chain rule {by_hand:.4}, Burn {by_burn:.4}, difference quotient {quotient:.4}");
        Ok(())
    };
    let (h, d) = (h3[j], dz[digit]);
    println!("∂L/∂w₄[{j},{digit}] = h₃[{j}] · (p − y)[{digit}] = {h:.4} · {d:.4}");
    compare(h * d, 3, [j, digit])?;
    let (h, slope, d) = (h2[i], slope(j), dh3(j));
    println!("∂L/∂w₃[{i},{j}] = h₂[{i}] · f′ · sum = {h:.4} · {slope} · {d:.4}");
    compare(h * slope * d, 2, [i, j])
}

/// The gradient of the loss with respect to one weight, by Burn's automatic differentiation. Layers
/// are counted from 0.
fn by_burn(
    saved: &SavedModel,
    pixels: Tensor<2>,
    label: u8,
    layer: usize,
    [row, column]: [usize; 2],
) -> Result<f32, Box<dyn Error>> {
    let device = pixels.device().autodiff();
    let model = saved.to_model(&device);
    let targets = Tensor::<1, Int>::from_ints([i32::from(label)], &device);
    let logits = model.forward(Tensor::from_inner(pixels));
    let gradients = cross_entropy(logits, targets, LossOptions::default()).backward();
    let weight = model.layers()[layer].weight.val();
    let gradient = weight.grad(&gradients).ok_or("the weight has no gradient")?;
    Ok(gradient.slice([row..row + 1, column..column + 1]).into_scalar())
}

/// (L(w + STEP) − L(w − STEP)) / (2 · STEP) for one weight w.
fn difference_quotient(
    model: &Model,
    pixels: &Tensor<2>,
    label: u8,
    layer: usize,
    [row, column]: [usize; 2],
) -> Result<f64, Box<dyn Error>> {
    let loss = |step: f32| -> Result<f64, Box<dyn Error>> {
        let mut layers = model.layers().map(Linear::clone);
        let at = [row..row + 1, column..column + 1];
        let weight = layers[layer].weight.val();
        let moved = weight.clone().slice(at.clone()) + step;
        layers[layer].weight = Param::from_tensor(weight.slice_assign(at, moved));
        let moved = Model::new(layers, HiddenActivation::Relu, &pixels.device());
        let logits: Vec<f32> = moved.forward(pixels.clone()).try_into_vec_as()?;
        Ok(mean_loss(logits.as_chunks::<CLASSES>().0, &[label], 1.0))
    };
    Ok((loss(STEP)? - loss(-STEP)?) / f64::from(2.0 * STEP))
}
