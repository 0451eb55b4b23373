//! Values that have one text: read from it, and written as it, in JSON and MessagePack alike.

/// Reads a value by `$read`, and writes it as the text that the method `$text` gives.
macro_rules! text_form {
    ($name:ident, $error:ty, $read:path, $text:ident) => {
        impl std::str::FromStr for $name {
            type Err = $error;
            fn from_str(text: &str) -> Result<Self, $error> {
                $read(text)
            }
        }

        impl TryFrom<String> for $name {
            type Error = $error;
            fn try_from(text: String) -> Result<Self, $error> {
                $read(&text)
            }
        }

        impl serde::Serialize for $name {
            fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.$text())
            }
        }
    };
}

pub(crate) use text_form;
