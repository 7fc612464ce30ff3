//! The macro that declares a section of the settings.

/// Declares a section: `plain` keys always have a value, `auto` keys accept `"auto"`. A section without `auto` keys needs no second type for its
/// values as written.
macro_rules! section {
    (
        $(#[$meta:meta])*
        $plain:ident, $written:ident, $section:literal {
            $( $(#[doc = $doc:literal])+ $mode:ident $field:ident: $type:ty = $kind:expr; )+
        }
    ) => {
        $crate::section::section! {
            $(#[$meta])*
            ///
            /// Resolved values.
            $plain, $section {
                $( $(#[doc = $doc])+ $mode $field: $type = $kind; )+
            }
        }

        $(#[$meta])*
        ///
        /// As written: keys that accept `"auto"` are [`crate::Auto`].
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $written { $( $(#[doc = $doc])+ pub $field: $crate::section::written_type!($mode $type), )+ }
    };
    (
        $(#[$meta:meta])*
        $plain:ident, $section:literal {
            $( $(#[doc = $doc:literal])+ $mode:ident $field:ident: $type:ty = $kind:expr; )+
        }
    ) => {
        $(#[$meta])*
        #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
        #[serde(deny_unknown_fields)]
        pub struct $plain { $( $(#[doc = $doc])+ pub $field: $type, )+ }

        impl $plain {
            pub(crate) const KEYS: &'static [$crate::kind::Key] = &[$(
                $crate::kind::Key {
                    name: concat!($section, ".", stringify!($field)),
                    kind: $kind,
                    auto: $crate::section::is_auto!($mode),
                    doc: concat!($($doc),+),
                },
            )+];
        }
    };
}

macro_rules! written_type {
    (auto $type:ty) => { $crate::auto::Auto<$type> };
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
