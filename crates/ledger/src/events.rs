//! The macro that makes a service's event enum.

/// Makes an enum of events, each variant holding one struct that implements
/// [`Body`](crate::Body), and implements [`Event`](crate::Event) for it.
///
/// ```
/// use lgpki_ledger::{Body, events};
///
/// /// A key medium was formatted.
/// #[derive(Clone, Debug, PartialEq, serde::Serialize, serde::Deserialize)]
/// #[serde(deny_unknown_fields)]
/// pub struct Formatted {
///     /// The medium's label.
///     pub label: String,
/// }
///
/// impl Body for Formatted {
///     const KIND: &'static str = "medium.formatted";
/// }
///
/// events! {
///     /// What happens to key media.
///     #[derive(Clone, Debug, PartialEq)]
///     pub enum MediumEvent {
///         /// Formatted.
///         Formatted(Formatted),
///     }
/// }
/// ```
#[macro_export]
macro_rules! events {
    (
        $(#[$meta:meta])*
        $vis:vis enum $name:ident {
            $( $(#[$variant_meta:meta])* $variant:ident($body:ty) ),+ $(,)?
        }
    ) => {
        $(#[$meta])*
        $vis enum $name {
            $( $(#[$variant_meta])* $variant($body), )+
        }

        $(
            impl ::core::convert::From<$body> for $name {
                fn from(body: $body) -> Self {
                    Self::$variant(body)
                }
            }
        )+

        impl $crate::Event for $name {
            const KINDS: &'static [&'static str] = &[ $( <$body as $crate::Body>::KIND, )+ ];

            fn place(&self) -> usize {
                enum Place { $( $variant, )+ }
                match self {
                    $( Self::$variant(_) => Place::$variant as usize, )+
                }
            }

            fn kind(&self) -> &'static str {
                match self {
                    $( Self::$variant(_) => <$body as $crate::Body>::KIND, )+
                }
            }

            fn version(&self) -> u32 {
                match self {
                    $( Self::$variant(_) => <$body as $crate::Body>::VERSION, )+
                }
            }

            fn about(&self) -> $crate::About {
                match self {
                    $( Self::$variant(body) => $crate::Body::about(body), )+
                }
            }

            fn ceremony(&self) -> bool {
                match self {
                    $( Self::$variant(body) => $crate::Body::ceremony(body), )+
                }
            }

            fn write_body(
                &self,
                out: &mut ::std::vec::Vec<u8>,
            ) -> ::core::result::Result<(), $crate::EntryError> {
                match self {
                    $( Self::$variant(body) => $crate::serde_json::to_writer(out, body)?, )+
                }
                Ok(())
            }

            fn parse_body(
                kind: &str,
                version: u32,
                body: &$crate::serde_json::value::RawValue,
            ) -> ::core::result::Result<Self, $crate::EntryError> {
                $(
                    if kind == <$body as $crate::Body>::KIND {
                        return <$body as $crate::Body>::parse(version, body).map(Self::$variant);
                    }
                )+
                Err($crate::EntryError::UnknownKind(::std::string::ToString::to_string(kind)))
            }
        }
    };
}
