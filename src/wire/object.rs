//! Objects that come as objects. What serde derives for a struct takes a list as well, with
//! the fields in their order; no schema allows that, and nobody means it.

use std::fmt;
use std::marker::PhantomData;

use serde::de::value::MapAccessDeserializer;
use serde::de::{Deserialize, Deserializer, MapAccess, Visitor};

/// A value that is read from an object only.
#[derive(Debug, Clone, PartialEq, Eq)]
#[repr(transparent)]
pub struct Object<T>(pub T);

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Object<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Fields<T>(PhantomData<T>);

        impl<'de, T: Deserialize<'de>> Visitor<'de> for Fields<T> {
            type Value = T;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("an object")
            }

            fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
                T::deserialize(MapAccessDeserializer::new(map))
            }
        }

        deserializer.deserialize_map(Fields(PhantomData)).map(Self)
    }
}

/// For a field that is an object.
///
/// # Errors
///
/// The format's own.
pub fn one<'de, D, T>(deserializer: D) -> Result<T, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Object::deserialize(deserializer).map(|object| object.0)
}

/// For a field that is an object, or absent, or `null`.
///
/// # Errors
///
/// The format's own.
pub fn option<'de, D, T>(deserializer: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    Ok(Option::<Object<T>>::deserialize(deserializer)?.map(|object| object.0))
}

/// For a field that is a list of objects.
///
/// # Errors
///
/// The format's own.
pub fn list<'de, D, T>(deserializer: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Deserialize<'de>,
{
    let objects = Vec::<Object<T>>::deserialize(deserializer)?;
    // In place: both have the same layout.
    Ok(objects.into_iter().map(|object| object.0).collect())
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Debug, PartialEq, Deserialize)]
    struct Inner {
        a: Option<i64>,
    }

    #[derive(Debug, PartialEq, Deserialize)]
    struct Outer {
        #[serde(default, deserialize_with = "option")]
        one: Option<Inner>,
        #[serde(deserialize_with = "list")]
        many: Vec<Inner>,
    }

    fn read(text: &str) -> Result<Outer, String> {
        let read: Result<Object<Outer>, _> = serde_json::from_str(text);
        read.map(|object| object.0)
            .map_err(|error| error.to_string())
    }

    #[test]
    fn lists_are_no_objects() {
        let inner = |a| Inner { a };
        let text = r#"{"one": {"a": 1}, "many": [{"a": 2}, {}]}"#;
        let expected = Outer {
            one: Some(inner(Some(1))),
            many: vec![inner(Some(2)), inner(None)],
        };
        assert_eq!(read(text), Ok(expected));
        let empty = Outer {
            one: None,
            many: vec![],
        };
        assert_eq!(read(r#"{"one": null, "many": []}"#), Ok(empty));
        for text in [
            r#"[{"a": 1}, []]"#,
            r#"{"one": [1], "many": []}"#,
            r#"{"many": [[2]]}"#,
            r#"{"many": {}}"#,
        ] {
            assert!(read(text).is_err(), "{text}");
        }
        assert_eq!(
            read(r#"{"one": {}}"#),
            Err("missing field `many` at line 1 column 11".to_owned())
        );
    }
}
