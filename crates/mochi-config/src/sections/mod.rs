//! One file a section of the settings. Each key is declared once, with its documentation, its type and what may be
//! written; [`section!`] makes from it the section as written (`"auto"` allowed), the section as resolved (plain
//! values) and its rows of the key table.

mod checkpoint;
mod compute;
mod data;
mod log;
mod mix;
mod moco;
mod model;
mod negatives;
mod optimizer;

pub use checkpoint::{Checkpoint, CheckpointSettings};
pub use compute::{Compute, ComputeSettings};
pub use data::{Data, DataSettings};
pub use log::{Log, LogSettings};
pub use mix::{Mix, MixSettings};
pub use moco::{Moco, MocoSettings};
pub use model::{Model, ModelSettings};
pub use negatives::{Negatives, NegativesSettings};
pub use optimizer::{Optimizer, OptimizerSettings};

/// Declares a section: `plain` keys always have a value, `auto` keys may be left to the program.
macro_rules! section {
    (
        $(#[$meta:meta])*
        $plain:ident, $written:ident, $section:literal {
            $( $(#[doc = $doc:literal])+ $mode:ident $field:ident: $type:ty = $kind:expr; )+
        }
    ) => {
        $(#[$meta])*
        ///
        /// Plain values, as resolved.
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $plain { $( $(#[doc = $doc])+ pub $field: $type, )+ }

        $(#[$meta])*
        ///
        /// As written: keys that the program may work out are [`crate::Auto`].
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $written { $( $(#[doc = $doc])+ pub $field: $crate::sections::written_type!($mode $type), )+ }

        impl $plain {
            pub(crate) const KEYS: &'static [$crate::keys::Key] = &[$(
                $crate::keys::Key {
                    name: concat!($section, ".", stringify!($field)),
                    kind: $kind,
                    auto: $crate::sections::is_auto!($mode),
                    doc: concat!($($doc),+),
                },
            )+];
        }
    };
}

macro_rules! written_type {
    (auto $type:ty) => { $crate::Auto<$type> };
    (plain $type:ty) => { $type };
}

macro_rules! is_auto {
    (auto) => {
        true
    };
    (plain) => {
        false
    };
}

pub(crate) use {is_auto, section, written_type};
