//! The words that people bring from other programs (Keras, PyTorch, scikit-learn, Cargo, curl), and
//! what they are called here.

/// A command of another name, and the arguments that take its place.
pub const COMMANDS: &[(&[&str], &str)] = &[
    (
        &[
            "predict",
            "prediction",
            "classify",
            "recognise",
            "recognize",
            "read",
            "ocr",
            "inference",
            "detect",
            "run",
        ],
        "infer",
    ),
    (&["test", "evaluate", "evaluation", "validate", "score", "benchmark"], "eval"),
    (&["fit", "learn", "training"], "train"),
    (&["finetune", "fine-tune", "transfer"], "train --from shipped --pictures"),
    (&["resume", "continue"], "train --resume"),
    (&["server", "deploy", "start", "http", "api", "web", "ui", "gui", "draw"], "serve"),
    (&["model", "info", "show", "describe", "architecture", "parameters", "layers"], "summary"),
    (&["download", "fetch", "get", "mnist"], "data --download"),
    (&["dataset", "datasets"], "data"),
    (&["device", "gpu", "gpus", "backend", "backends", "cuda"], "devices"),
    (&["onnx", "convert", "save"], "export"),
    (&["load", "pytorch", "keras"], "import"),
    (&["saliency", "gradcam", "grad-cam", "shap", "attribution"], "explain"),
    (&["visualize", "visualise", "plot", "inspect"], "report"),
    (&["number", "numbers", "digits", "many"], "infer --many"),
    (&["version"], "--version"),
    (&["manual"], "man"),
];

/// Flags of other names: for a command, or for all (`""`), and what to use. Underscores are written
/// as hyphens here.
pub const FLAGS: &[(&str, &[&str], &str)] = &[
    (
        "serve",
        &["--port", "-p", "--host", "--bind", "--listen", "--address", "--addr", "--url"],
        "the address and the port are one flag: `--http 127.0.0.1:9000`, or `--http 9000` for a port of \
      this machine alone",
    ),
    (
        "serve",
        &["--workers", "-w"],
        "one process answers all requests; `--threads N` limits its threads",
    ),
    ("serve", &["--reload", "--watch"], "SIGHUP reloads the model: `kill -HUP PID`"),
    (
        "serve",
        &["--tls", "--ssl", "--cert", "--certfile", "--keyfile", "--https", "--token", "--api-key"],
        "the server has no encryption and no authentication: put a proxy that has them before it",
    ),
    ("serve", &["--log-level"], "use `--log LEVEL`"),
    ("train", &["--tui"], "the dashboard is not part of this build: build with `--features tui`"),
    (
        "train",
        &["-e", "-n", "--num-epochs", "--n-epochs", "--max-epochs", "--nb-epoch"],
        "use `--epochs N`",
    ),
    ("train", &["-b", "--bs"], "use `--batch-size N`"),
    (
        "train",
        &["-lr", "-l", "--lr", "--rate", "--eta", "--alpha", "--step-size"],
        "use `--learning-rate X`",
    ),
    (
        "train",
        &["--steps", "--max-steps", "--iterations", "--max-iter"],
        "the length of a run is given in passes over the data: `--epochs N`",
    ),
    (
        "train",
        &["--scheduler", "--lr-scheduler", "--lr-schedule", "--decay"],
        "use `--schedule NAME`",
    ),
    ("train", &["--opt", "--optim", "--solver"], "use `--optimizer NAME`"),
    (
        "train",
        &["--momentum", "--betas", "--beta1", "--beta2", "--eps", "--nesterov"],
        "Adam's β₁, β₂ and ε are fixed; see `--optimizer`, `--learning-rate` and `--weight-decay`",
    ),
    ("train", &["--wd", "--l2"], "use `--weight-decay X`"),
    (
        "train",
        &["--dropout"],
        "the network has no dropout; `--distort`, `--weight-decay` and `--label-smoothing` work against \
      overfitting",
    ),
    ("train", &["--augment", "--augmentation", "--aug", "--transform"], "use `--distort`"),
    ("train", &["--patience", "--early-stop"], "use `--early-stopping N`"),
    (
        "train",
        &[
            "--layers",
            "--units",
            "--hidden-size",
            "--hidden-layers",
            "--hidden-layer-sizes",
            "--width",
        ],
        "the widths of the three hidden layers are `--hidden 256,128,64`",
    ),
    (
        "train",
        &["--loss", "--criterion", "--metrics", "--metric"],
        "the loss is cross-entropy and the metric accuracy; neither can be chosen",
    ),
    (
        "train",
        &["--shuffle", "--no-shuffle"],
        "the images are shuffled in every epoch, in an order that `--seed` determines",
    ),
    (
        "train",
        &[
            "--validation-split",
            "--val-split",
            "--valid-split",
            "--validation",
            "--val",
            "--test-size",
        ],
        "the last 5,000 of the 60,000 training images are for validation; see `--train-on`",
    ),
    (
        "train",
        &["--model", "-m", "--pretrained", "--weights", "--init-from", "--load"],
        "to start from the weights of a model, use `--from MODEL`; to go on with a run, `--resume DIR`",
    ),
    (
        "train",
        &["--checkpoint", "--ckpt", "--continue", "--restore"],
        "to go on with a run from its last checkpoint, use `--resume DIR`",
    ),
    ("train", &["--random-seed", "--random-state", "--manual-seed", "-s"], "use `--seed N`"),
    (
        "train",
        &["--distributed", "--multi-gpu", "--nproc", "--gpus", "--num-gpus"],
        "a run uses one device, or all cores of the CPU",
    ),
    (
        "train",
        &["--tensorboard", "--wandb", "--plot"],
        "each run folder has the learning curves, curves.svg, and the figures of each epoch, history.jsonl",
    ),
    ("train", &["--progress", "--no-progress", "--bar"], "`--quiet` leaves out the progress bar"),
    (
        "infer",
        &["--output", "-o", "--out", "--csv", "--format", "--save"],
        "the answers go to standard output: `{program} infer --json FOLDER > answers.jsonl`",
    ),
    (
        "infer",
        &[
            "--input",
            "-i",
            "--image",
            "--images",
            "--img",
            "--file",
            "-f",
            "--path",
            "--picture",
            "--source",
        ],
        "pictures are given without a flag: `{program} infer image.png`",
    ),
    (
        "infer",
        &["--batch-size", "--batch", "-b"],
        "pictures are put into batches without being asked to",
    ),
    (
        "infer",
        &["--threshold", "--conf", "--confidence"],
        "`unsure` marks answers below the model's own threshold; with `--json` each has its confidence",
    ),
    ("infer", &["--top-k", "--topk", "-k", "-n"], "use `--top K`"),
    (
        "infer",
        &["--multi", "--multiple", "--all", "--digits", "--number", "--segment"],
        "use `--many`",
    ),
    (
        "infer",
        &["--recursive", "-r", "-R"],
        "a folder is read without its subfolders; `find DIR -name '*.png' | {program} infer --paths-from -` \
      reads them all",
    ),
    (
        "infer",
        &["--invert", "--grayscale", "--resize", "--preprocess"],
        "pictures of any size are prepared by themselves, dark ink on light paper or the reverse",
    ),
    ("infer", &["--url"], "use `curl -s URL | {program} infer -`"),
    (
        "eval",
        &["--test", "--split", "--dataset", "--images", "--folder", "--dir", "--input"],
        "the test set is the default; another data set is `--data DIR`, labelled pictures are `--pictures DIR`",
    ),
    (
        "eval",
        &["--out", "--output", "-o", "--save"],
        "the figures go to standard output: `{program} eval --json > figures.json`",
    ),
    (
        "export",
        &["--type", "-f", "--to"],
        "use `--format NAME`, or a file name that ends in .onnx or .safetensors",
    ),
    ("export", &["--opset", "--dynamic", "--batch-size"], "the graph accepts any batch size"),
    (
        "import",
        &["--framework", "--format", "--from"],
        "the kind of the file is read from its content",
    ),
    (
        "data",
        &["--out", "--output", "--root", "--dir", "--cache"],
        "MNIST is downloaded into the folder for caches; a folder of your own is named with `--data DIR` or \
      BURN_DIGITS_DATA",
    ),
    (
        "",
        &[
            "--gpu",
            "--gpus",
            "--cuda",
            "--device",
            "-d",
            "--accelerator",
            "--mps",
            "--metal",
            "--use-gpu",
            "--cpu",
            "--no-cuda",
            "--no-gpu",
            "--gpu-id",
        ],
        "use `--backend wgpu` for the GPU, or `--backend flex` or `ndarray` for the CPU; `{program} devices` \
      lists what this build has",
    ),
    (
        "",
        &["--features", "--release", "--no-default-features", "--all-features"],
        "this is a flag of Cargo: give it before the `--` of `cargo run --release --features wgpu -- …`",
    ),
    (
        "",
        &[
            "--model-path",
            "--model-file",
            "--weights",
            "--checkpoint",
            "--ckpt",
            "--load",
            "--pretrained",
            "--run",
            "--net",
        ],
        "use `--model FILE`, with a model file, a run folder, `last` or `shipped`",
    ),
    (
        "",
        &[
            "--output",
            "--output-dir",
            "--out-dir",
            "--save",
            "--save-dir",
            "--save-path",
            "--log-dir",
            "--logdir",
            "--path",
            "--dir",
        ],
        "use `--out PATH`, if the command writes files",
    ),
    (
        "",
        &["--dataset", "--data-dir", "--data-path", "--root", "--train-dir", "--mnist"],
        "use `--data DIR`",
    ),
    (
        "",
        &["--images", "--image-dir", "--folder"],
        "a folder of labelled pictures is `--pictures DIR`",
    ),
    (
        "",
        &["--workers", "--num-workers", "--jobs", "-j", "--n-jobs", "--num-threads", "-t"],
        "use `--threads N`",
    ),
    ("", &["--debug", "--log", "--log-level", "-vv"], "use `--verbose`"),
    ("", &["--silent", "-s", "--no-output"], "use `--quiet`"),
    (
        "",
        &["--force", "--overwrite", "-f", "-y", "--yes", "--exist-ok"],
        "existing files are replaced without being asked to; a run needs a new folder",
    ),
    (
        "",
        &["--fp16", "--amp", "--half", "--bf16", "--precision", "--dtype", "--mixed-precision"],
        "all computations are in f32",
    ),
    (
        "",
        &["--no-color", "--no-colour", "--color", "--colour"],
        "set the environment variable NO_COLOR=1",
    ),
    ("", &["--config-file", "--cfg", "--conf", "-c", "--recipe"], "use `train --config FILE.toml`"),
];

/// Values that other programs accept: of a flag, for a command or for all (`""`).
pub const VALUES: &[(&str, &str, &[&str], &str)] = &[
    (
        "",
        "--backend",
        &["cpu", "host", "native", "nd", "nd-array", "x86"],
        "the CPU backends are flex and ndarray",
    ),
    (
        "",
        "--backend",
        &[
            "gpu", "cuda", "cuda:0", "metal", "mps", "vulkan", "webgpu", "rocm", "hip", "opencl",
            "dx12",
        ],
        "the GPU backend is wgpu, over Vulkan, Metal, DirectX 12 or WebGPU",
    ),
    (
        "",
        "--backend",
        &["torch", "pytorch", "tch", "libtorch", "candle", "tensorflow", "jax"],
        "the backends are Burn's wgpu for the GPU, and flex and ndarray for the CPU",
    ),
    (
        "train",
        "--optimizer",
        &["sgd", "rmsprop", "adagrad", "lion", "nadam", "momentum", "muon", "lamb"],
        "training has adam and adamw; `{program} compare --optimizer sgd` shows plain gradient descent",
    ),
    (
        "compare",
        "--optimizer",
        &["adamw"],
        "the comparison has sgd and adam, both without weight decay",
    ),
    ("train", "--schedule", &["none", "fixed", "off", "no"], "use constant"),
    (
        "train",
        "--schedule",
        &["step", "linear", "exponential", "onecycle", "plateau", "cosineannealing", "polynomial"],
        "use cosine, which ends at 0; `--warm-up-epochs` is its linear rise",
    ),
    (
        "",
        "--activation",
        &["swish", "silu", "mish", "hardswish"],
        "hard-swish is the closest to it",
    ),
    (
        "",
        "--activation",
        &["softmax", "logsoftmax"],
        "this is for the hidden layers; the output is logits, and the loss computes their softmax",
    ),
    (
        "",
        "--activation",
        &["step", "sign", "heaviside", "binary"],
        "no gradient passes it; `{program} compare` trains it beside others",
    ),
    (
        "",
        "--activation",
        &["linear", "none", "identity"],
        "without an activation function, all layers together are a single linear one",
    ),
    (
        "",
        "--activations",
        &["gelu", "elu", "selu", "swish", "silu", "softplus", "softsign", "hardswish"],
        "the comparison has sigmoid, tanh, relu, leaky-relu, step and sign; `train --activation` has more",
    ),
    (
        "export",
        "--format",
        &["pt", "pth", "torch", "pytorch", "torchscript", "pickle", "pkl", "state-dict"],
        "use safetensors: `load_state_dict(safetensors.torch.load_file(FILE))` reads it in PyTorch",
    ),
    (
        "export",
        "--format",
        &[
            "h5",
            "hdf5",
            "keras",
            "tf",
            "tensorflow",
            "savedmodel",
            "tflite",
            "coreml",
            "tensorrt",
            "openvino",
            "gguf",
            "npz",
        ],
        "use onnx, from which other programs convert",
    ),
    ("serve", "--log", &["warning"], "use warn"),
    ("serve", "--log", &["trace", "verbose", "all"], "use debug"),
    ("serve", "--log", &["off", "none", "quiet", "critical", "fatal"], "use error"),
];

/// What a command without a required argument lacks.
pub const MISSING: &[(&str, &str)] = &[
    ("infer", "name a picture or a folder: `{program} infer image.png`"),
    ("explain", "name a picture: `{program} explain image.png`"),
    ("export", "name the file to write: `{program} export --out digits.onnx`"),
    ("import", "name both files: `{program} import weights.pth --out model.safetensors`"),
    ("completions", "name your shell: `{program} completions bash`"),
];
