//! The two forms in which the page of the format has most things: a table of numbers, and a map of one-letter names.

/// A number of one of the tables of numbers.
macro_rules! numbers {
    ($(#[$doc:meta])* $name:ident { $($number:literal = $variant:ident: $word:literal),* }) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "u8")]
        pub enum $name { $(#[doc = $word] $variant = $number),* }

        impl $name {
            /// The word for it.
            pub fn word(self) -> &'static str {
                match self { $(Self::$variant => $word),* }
            }
        }

        impl TryFrom<u8> for $name {
            type Error = String;
            fn try_from(number: u8) -> Result<Self, String> {
                match number {
                    $($number => Ok(Self::$variant),)*
                    _ => Err(format!("{number} is no {}", stringify!($name))),
                }
            }
        }
    };
}

/// A map whose fields stand under one letter, with what serde must know besides.
macro_rules! map {
    ($(#[$doc:meta])* $name:ident $(<$life:lifetime>)? {
        $($letter:literal $(($($more:tt)*))? => $field:ident: $type:ty,)*
    }) => {
        $(#[$doc])*
        #[derive(Debug, Deserialize)]
        #[allow(missing_docs, reason = "schemas/wire.md explains each field beside its letter")]
        pub struct $name $(<$life>)? {
            $(#[serde(rename = $letter $(, $($more)*)?)] pub $field: $type,)*
        }
    };
}
