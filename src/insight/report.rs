//! Placeholder while the room grows.
