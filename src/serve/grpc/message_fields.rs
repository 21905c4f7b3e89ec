//! The fields of the requests of all methods, by number: what `message_cost` knows of a message.
//! Sizes are those of the generated types, rounded up.

/// The fields of a message, by number.
pub(in crate::serve) type MessageFields = &'static [(u32, MessageField)];

/// What a field contains.
#[derive(Clone, Copy)]
pub(in crate::serve) enum MessageField {
    /// UTF-8.
    Text,
    /// A list of bytes, shared with the request's body.
    Bytes,
    /// A single number, whose memory is part of its message.
    Number(Number),
    /// A list of numbers, packed or one by one.
    Numbers(Number),
    /// A message, single or in a list; its size in memory, without what its fields point to, or 0
    /// if that is part of the message around it.
    Message(usize, MessageFields),
}

/// How a number is encoded.
#[derive(Clone, Copy)]
pub(in crate::serve) enum Number {
    /// An integer of variable length; its size in memory.
    Varint(usize),
    /// Four bytes.
    Fixed32,
    /// Eight bytes.
    Fixed64,
}

/// A request without fields.
const NO_FIELDS: MessageFields = &[];
/// A model's name and version.
const MODEL: MessageFields = &[(1, MessageField::Text), (2, MessageField::Text)];
/// `ModelInferRequest`.
pub(in crate::serve) const INFER: MessageFields = &[
    (1, MessageField::Text),
    (2, MessageField::Text),
    (3, MessageField::Text),
    (4, PARAMETERS),
    (5, MessageField::Message(384, INPUT)),
    (6, MessageField::Message(96, OUTPUT)),
    (7, MessageField::Bytes),
];
const INPUT: MessageFields = &[
    (1, MessageField::Text),
    (2, MessageField::Text),
    (3, MessageField::Numbers(Number::Varint(8))),
    (4, PARAMETERS),
    (5, MessageField::Message(0, CONTENTS)),
];
const OUTPUT: MessageFields = &[(1, MessageField::Text), (2, PARAMETERS)];
const PARAMETERS: MessageField = MessageField::Message(
    128,
    &[(1, MessageField::Text), (2, MessageField::Message(0, PARAMETER))],
);
const PARAMETER: MessageFields = &[
    (1, MessageField::Number(Number::Varint(1))),
    (2, MessageField::Number(Number::Varint(8))),
    (3, MessageField::Text),
    (4, MessageField::Number(Number::Fixed64)),
    (5, MessageField::Number(Number::Varint(8))),
];
const CONTENTS: MessageFields = &[
    (1, MessageField::Numbers(Number::Varint(1))),
    (2, MessageField::Numbers(Number::Varint(4))),
    (3, MessageField::Numbers(Number::Varint(8))),
    (4, MessageField::Numbers(Number::Varint(4))),
    (5, MessageField::Numbers(Number::Varint(8))),
    (6, MessageField::Numbers(Number::Fixed32)),
    (7, MessageField::Numbers(Number::Fixed64)),
    (8, MessageField::Bytes),
];
/// `RepositoryIndexRequest`.
const INDEX: MessageFields =
    &[(1, MessageField::Text), (2, MessageField::Number(Number::Varint(1)))];
/// `RepositoryModelLoadRequest` and `RepositoryModelUnloadRequest`.
const LOAD: MessageFields = &[
    (1, MessageField::Text),
    (2, MessageField::Text),
    (
        3,
        MessageField::Message(
            160,
            &[(1, MessageField::Text), (2, MessageField::Message(0, LOAD_PARAMETER))],
        ),
    ),
];
const LOAD_PARAMETER: MessageFields = &[
    (1, MessageField::Number(Number::Varint(1))),
    (2, MessageField::Number(Number::Varint(8))),
    (3, MessageField::Text),
    (4, MessageField::Bytes),
];
/// `HealthCheckRequest`.
const HEALTH: MessageFields = &[(1, MessageField::Text)];
/// `PredictRequest`.
pub(in crate::serve) const PREDICT: MessageFields = &[
    (1, MODEL_SPEC),
    (
        2,
        MessageField::Message(
            512,
            &[(1, MessageField::Text), (2, MessageField::Message(0, TENSOR))],
        ),
    ),
    (3, MessageField::Text),
];
/// `GetModelMetadataRequest`.
const METADATA: MessageFields = &[(1, MODEL_SPEC), (2, MessageField::Text)];
/// `GetModelStatusRequest`.
const STATUS: MessageFields = &[(1, MODEL_SPEC)];
const MODEL_SPEC: MessageField = MessageField::Message(
    0,
    &[
        (1, MessageField::Text),
        (2, MessageField::Message(0, &[(1, MessageField::Number(Number::Varint(8)))])),
        (3, MessageField::Text),
        (4, MessageField::Text),
    ],
);
const TENSOR: MessageFields = &[
    (1, MessageField::Number(Number::Varint(4))),
    (2, MessageField::Message(0, SHAPE)),
    (4, MessageField::Bytes),
    (5, MessageField::Numbers(Number::Fixed32)),
    (6, MessageField::Numbers(Number::Fixed64)),
    (7, MessageField::Numbers(Number::Varint(4))),
    (8, MessageField::Bytes),
    (10, MessageField::Numbers(Number::Varint(8))),
];
const SHAPE: MessageFields = &[
    (
        2,
        MessageField::Message(
            48,
            &[(1, MessageField::Number(Number::Varint(8))), (2, MessageField::Text)],
        ),
    ),
    (3, MessageField::Number(Number::Varint(1))),
];

/// The fields of the request of a method, by the path.
pub(in crate::serve) fn request_fields(path: &str) -> MessageFields {
    match path.rsplit('/').next() {
        Some("ModelInfer") => INFER,
        Some("ModelReady" | "ModelMetadata" | "ModelConfig" | "ModelStatistics") => MODEL,
        Some("RepositoryIndex") => INDEX,
        Some("RepositoryModelLoad" | "RepositoryModelUnload") => LOAD,
        Some("Check" | "Watch") => HEALTH,
        Some("Predict") => PREDICT,
        Some("GetModelMetadata") => METADATA,
        Some("GetModelStatus") => STATUS,
        _ => NO_FIELDS,
    }
}
