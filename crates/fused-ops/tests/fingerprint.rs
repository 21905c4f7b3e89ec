#![recursion_limit = "256"]
use burn::module::Param;
use burn::nn::activation::{ActivationConfig, LeakyReluConfig};
use burn::nn::{EluConfig, LinearConfig, SoftplusConfig};
use burn::tensor::{Device, Int, Tensor, TensorData};
use fused_ops::LossOptions;

fn scattered<const D: usize>(
    shape: [usize; D],
    seed: usize,
    share: usize,
    device: &Device,
) -> Tensor<D> {
    let length = shape.iter().product();
    let value = |i: usize| {
        if (i * i + seed) % 10 >= share {
            return 0.0;
        }
        ((i * 7919 + seed * 104_729) % 2003) as f32 / 1001.0 - 1.0
    };
    Tensor::from_data(TensorData::new((0..length).map(value).collect::<Vec<_>>(), shape), device)
}
fn hash<const D: usize>(t: Tensor<D>) -> u64 {
    let v: Vec<f32> = t.into_data().iter().collect();
    v.iter().fold(0xcbf29ce484222325u64, |h, x| {
        (h ^ u64::from(x.to_bits())).wrapping_mul(0x100000001b3)
    })
}
#[test]
fn fingerprint() {
    use ActivationConfig::*;
    #[allow(deprecated)]
    let mut devices = vec![("flex", Device::flex()), ("ndarray", Device::ndarray())];
    if let Ok(d) = Device::wgpu_options().init() {
        devices.push(("wgpu", d));
    }
    for (name, plain) in devices {
        let device = plain.clone().autodiff();
        for config in [
            None,
            Some(Relu),
            Some(LeakyRelu(LeakyReluConfig::new().with_negative_slope(0.03))),
            Some(Sigmoid),
            Some(Tanh),
            Some(Gelu),
            Some(Elu(EluConfig::new())),
            Some(Selu),
            Some(HardSwish),
            Some(Softplus(SoftplusConfig::new())),
            Some(Softsign),
        ] {
            for (n, i, o) in [
                (1, 5, 3),
                (1, 784, 256),
                (2, 256, 1),
                (37, 70, 19),
                (37, 300, 150),
                (128, 784, 256),
                (600, 300, 10),
            ] {
                for share in [2, 10] {
                    let mut layer = LinearConfig::new(i, o).init(&device);
                    layer.weight = Param::from_tensor(scattered([i, o], 1, 10, &device) / 4.0);
                    layer.bias = Some(Param::from_tensor(scattered([o], 2, 10, &device)));
                    let act = config.as_ref().map(|c| c.init(&device));
                    let x = scattered([n, i], 3, share, &device).require_grad();
                    let y = fused_ops::linear(x.clone(), &layer, act.as_ref());
                    let g = (y.clone() * scattered([n, o], 4, 10, &device)).sum().backward();
                    println!(
                        "FP {name} {config:?} {n} {i} {o} {share} {:x} {:x} {:x} {:x}",
                        hash(y.inner()),
                        hash(x.grad(&g).unwrap()),
                        hash(layer.weight.val().grad(&g).unwrap()),
                        hash(layer.bias.as_ref().unwrap().val().grad(&g).unwrap())
                    );
                    if n == 37 {
                        let xt = scattered([i, n], 3, share, &plain).transpose();
                        let mut l2 = layer.clone();
                        l2.weight =
                            Param::from_tensor(scattered([o, i], 1, 10, &plain).transpose());
                        l2.bias = Some(Param::from_tensor(scattered([o], 2, 10, &plain)));
                        let act = config.as_ref().map(|c| c.init(&plain));
                        println!(
                            "FP {name} views {config:?} {n} {i} {o} {:x}",
                            hash(fused_ops::linear(xt, &l2, act.as_ref()))
                        );
                    }
                }
            }
        }
        for n in [1, 3, 37, 300] {
            for s in [0.0, 0.1] {
                let logits = (scattered([n, 10], 5, 10, &device) * 20.0).require_grad();
                let t = Tensor::<1, Int>::arange(0..n as i64, &device) % 11;
                let loss = fused_ops::cross_entropy(
                    logits.clone(),
                    t,
                    LossOptions { label_smoothing: s, uniform_weight: 0.3 },
                );
                let l = hash(loss.clone().inner());
                let g = logits.grad(&(loss * 3.0).backward()).unwrap();
                println!("FP {name} loss {n} {s} {l:x} {:x}", hash(g));
            }
        }
        for wd in [0.0, 0.05] {
            for shape in [[301, 257], [3, 5]] {
                let mut st = (scattered(shape, 6, 10, &plain), None);
                for k in 0..5 {
                    let (w, s) = fused_ops::adam_step(
                        st.0,
                        scattered(shape, 7 + k, 10, &plain),
                        st.1,
                        1e-2,
                        wd,
                    );
                    st = (w, Some(s));
                }
                let m = st.1.unwrap().momentum;
                println!(
                    "FP {name} adam {wd} {shape:?} {:x} {:x} {:x}",
                    hash(st.0),
                    hash(m.moment_1),
                    hash(m.moment_2)
                );
            }
        }
        let images: Vec<[u8; 784]> =
            (0..5).map(|k| std::array::from_fn(|i| (i * (k + 3) % 256) as u8)).collect();
        if let Some(d) = fused_ops::DeviceImages::upload(images.iter(), &[1, 2, 3, 4, 5], &plain) {
            let (x, _) = d.batch(&[4, 0, 2, 2]);
            println!("FP {name} images {:x}", hash(x));
        }
    }
}
