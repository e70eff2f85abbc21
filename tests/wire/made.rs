//! Values made up from their types alone.
//!
//! A [`Maker`] is a serde deserializer without input: where others read bytes, it asks a [`Choose`]
//! what the type shall be given. So any type that can be decoded can be made up, private fields or
//! not, and a variant that is added tomorrow needs no sample written by hand.

use serde::de::value::U32Deserializer;
use serde::de::{
    self, DeserializeOwned, DeserializeSeed, Deserializer, EnumAccess, MapAccess, SeqAccess,
    VariantAccess, Visitor,
};
use std::any::type_name;
use std::collections::BTreeSet;
use std::fmt;

/// Decides what is made up.
pub(crate) trait Choose {
    /// Which of the variants of the enum of this name.
    fn variant(&mut self, name: &'static str, variants: &'static [&'static str]) -> usize;
    /// A number of so many bits.
    fn number(&mut self, bits: u32) -> u64;
    /// How many elements.
    fn length(&mut self) -> usize;
    /// A text.
    fn text(&mut self) -> String;
}

/// Makes values up. Panics on a type that must not travel: one that contains itself, or a list
/// whose elements have no bytes.
pub(crate) struct Maker<'a, C> {
    choose: &'a mut C,
    /// The types that contain what is made just now.
    within: Vec<(&'static str, &'static [&'static str])>,
    /// How many numbers, texts and tags were made so far.
    leaves: usize,
}

/// What a type said against the value.
#[derive(Debug)]
pub(crate) struct Unfit(pub String);

impl fmt::Display for Unfit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl std::error::Error for Unfit {}

impl de::Error for Unfit {
    fn custom<T: fmt::Display>(why: T) -> Unfit {
        Unfit(why.to_string())
    }
}

/// One value of a type, unless the type refuses what it is given.
pub(crate) fn make<T: DeserializeOwned>(choose: &mut impl Choose) -> Result<T, Unfit> {
    T::deserialize(&mut Maker { choose, within: Vec::new(), leaves: 0 })
}

impl<C: Choose> Maker<'_, C> {
    fn enter(&mut self, name: &'static str, parts: &'static [&'static str]) {
        let same = |outer: &(&str, &[&str])| outer.0 == name && outer.1 == parts;
        assert!(!self.within.iter().any(same), "{name} contains itself");
        self.within.push((name, parts));
    }

    fn number(&mut self, bits: u32) -> u64 {
        self.leaves += 1;
        self.choose.number(bits) & (u64::MAX >> (64 - bits))
    }

    fn length(&mut self) -> usize {
        self.leaves += 1;
        self.choose.length()
    }
}

macro_rules! numbers {
    ($($method:ident $visit:ident $type:ty,)*) => {$(
        fn $method<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
            visitor.$visit(self.number(<$type>::BITS) as $type)
        }
    )*};
}

macro_rules! never {
    ($($method:ident)*) => {$(
        fn $method<V: Visitor<'de>>(self, _: V) -> Result<V::Value, Unfit> {
            panic!("{} asks the encoding what it is", type_name::<V::Value>())
        }
    )*};
}

impl<'de, C: Choose> Deserializer<'de> for &mut Maker<'_, C> {
    type Error = Unfit;

    numbers! {
        deserialize_u8 visit_u8 u8,
        deserialize_u16 visit_u16 u16,
        deserialize_u32 visit_u32 u32,
        deserialize_u64 visit_u64 u64,
        deserialize_i8 visit_i8 i8,
        deserialize_i16 visit_i16 i16,
        deserialize_i32 visit_i32 i32,
        deserialize_i64 visit_i64 i64,
    }

    fn deserialize_u128<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let number = self.number(64);
        visitor.visit_u128(number.into())
    }

    never! {
        deserialize_any deserialize_f32 deserialize_f64 deserialize_char deserialize_bytes
        deserialize_byte_buf deserialize_identifier deserialize_ignored_any
    }

    fn deserialize_bool<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_bool(self.number(1) == 1)
    }

    fn deserialize_str<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.deserialize_string(visitor)
    }

    fn deserialize_string<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.leaves += 1;
        visitor.visit_string(self.choose.text())
    }

    fn deserialize_option<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        self.leaves += 1;
        match self.choose.variant("Option", &["Some", "None"]) {
            0 => visitor.visit_some(self),
            _ => visitor.visit_none(),
        }
    }

    fn deserialize_unit<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    fn deserialize_unit_struct<V: Visitor<'de>>(
        self,
        _: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_unit()
    }

    fn deserialize_newtype_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.enter(name, &[]);
        let value = visitor.visit_newtype_struct(&mut *self);
        self.within.pop();
        value
    }

    fn deserialize_seq<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let left = self.length();
        visitor.visit_seq(Parts { maker: self, left, list: true })
    }

    fn deserialize_tuple<V: Visitor<'de>>(
        self,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        visitor.visit_seq(Parts { maker: self, left, list: false })
    }

    fn deserialize_tuple_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        left: usize,
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.enter(name, &[]);
        let value = visitor.visit_seq(Parts { maker: &mut *self, left, list: false });
        self.within.pop();
        value
    }

    fn deserialize_map<V: Visitor<'de>>(self, visitor: V) -> Result<V::Value, Unfit> {
        let left = self.length();
        visitor.visit_map(Parts { maker: self, left, list: true })
    }

    fn deserialize_struct<V: Visitor<'de>>(
        self,
        name: &'static str,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.enter(name, fields);
        let left = fields.len();
        let value = visitor.visit_seq(Parts { maker: &mut *self, left, list: false });
        self.within.pop();
        value
    }

    fn deserialize_enum<V: Visitor<'de>>(
        self,
        name: &'static str,
        variants: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        if variants.is_empty() {
            return Err(Unfit(format!("{name} has no variant")));
        }
        self.enter(name, variants);
        self.leaves += 1;
        let index = self.choose.variant(name, variants) as u32;
        let value = visitor.visit_enum(Chosen { maker: &mut *self, index });
        self.within.pop();
        value
    }

    fn is_human_readable(&self) -> bool {
        false
    }
}

/// So many values more.
struct Parts<'a, 'b, C> {
    maker: &'a mut Maker<'b, C>,
    left: usize,
    list: bool,
}

impl<C: Choose> Parts<'_, '_, C> {
    fn part<'de, S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unfit> {
        let before = self.maker.leaves;
        let value = seed.deserialize(&mut *self.maker)?;
        let element = type_name::<S::Value>();
        assert!(!self.list || self.maker.leaves > before, "{element} in a list has no bytes");
        Ok(value)
    }
}

impl<'de, C: Choose> SeqAccess<'de> for Parts<'_, '_, C> {
    type Error = Unfit;

    fn next_element_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unfit> {
        let Some(left) = self.left.checked_sub(1) else { return Ok(None) };
        self.left = left;
        self.part(seed).map(Some)
    }
}

impl<'de, C: Choose> MapAccess<'de> for Parts<'_, '_, C> {
    type Error = Unfit;

    fn next_key_seed<S: DeserializeSeed<'de>>(
        &mut self,
        seed: S,
    ) -> Result<Option<S::Value>, Unfit> {
        self.next_element_seed(seed)
    }

    fn next_value_seed<S: DeserializeSeed<'de>>(&mut self, seed: S) -> Result<S::Value, Unfit> {
        seed.deserialize(&mut *self.maker)
    }
}

/// A variant.
struct Chosen<'a, 'b, C> {
    maker: &'a mut Maker<'b, C>,
    index: u32,
}

impl<'de, C: Choose> EnumAccess<'de> for Chosen<'_, '_, C> {
    type Error = Unfit;
    type Variant = Self;

    fn variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<(S::Value, Self), Unfit> {
        Ok((seed.deserialize(U32Deserializer::new(self.index))?, self))
    }
}

impl<'de, C: Choose> VariantAccess<'de> for Chosen<'_, '_, C> {
    type Error = Unfit;

    fn unit_variant(self) -> Result<(), Unfit> {
        Ok(())
    }

    fn newtype_variant_seed<S: DeserializeSeed<'de>>(self, seed: S) -> Result<S::Value, Unfit> {
        seed.deserialize(self.maker)
    }

    fn tuple_variant<V: Visitor<'de>>(self, left: usize, visitor: V) -> Result<V::Value, Unfit> {
        visitor.visit_seq(Parts { maker: self.maker, left, list: false })
    }

    fn struct_variant<V: Visitor<'de>>(
        self,
        fields: &'static [&'static str],
        visitor: V,
    ) -> Result<V::Value, Unfit> {
        self.tuple_variant(fields.len(), visitor)
    }
}

// -- every variant once ---------------------------------------------------------------------------

/// A place where a variant was chosen: its enum, and which.
pub(crate) type Fork = (&'static str, &'static [&'static str], usize);

/// Which variants have been seen to.
#[derive(Default)]
pub(crate) struct Coverage {
    /// Those for which a value was to be made.
    tried: BTreeSet<Fork>,
    /// Those that occur in a value.
    made: BTreeSet<Fork>,
    /// Those that no value can have: they hold an enum without variants.
    dead: BTreeSet<Fork>,
}

impl Coverage {
    /// The variants that could be made and were not.
    pub(crate) fn missing(&self) -> Vec<Fork> {
        let left = self.tried.difference(&self.made).copied();
        left.filter(|fork| !self.dead.contains(fork)).collect()
    }
}

/// Follows a script as long as there is one, and then takes the first of everything. Numbers are
/// all different, so that fields that change places do not go unnoticed.
struct Scripted<'a> {
    script: &'a [usize],
    dead: &'a BTreeSet<Fork>,
    forks: Vec<Fork>,
    count: u64,
}

impl Choose for Scripted<'_> {
    fn variant(&mut self, name: &'static str, variants: &'static [&'static str]) -> usize {
        let alive = |n: &usize| !self.dead.contains(&(name, variants, *n));
        let first = (0..variants.len()).find(alive).unwrap_or(0);
        let chosen = self.script.get(self.forks.len()).copied().unwrap_or(first);
        self.forks.push((name, variants, chosen));
        chosen
    }

    /// Large, except where that is refused: weights go to 100, epochs have 32 bits of 64.
    fn number(&mut self, bits: u32) -> u64 {
        self.count += 1;
        match bits {
            1 => self.count % 2,
            8 => 130 + self.count % 100,
            16 => 1 + self.count % 99,
            32 => 100_000 + self.count,
            _ => 3_000_000_000 + self.count,
        }
    }

    fn length(&mut self) -> usize {
        1
    }

    fn text(&mut self) -> String {
        self.count += 1;
        format!("text{}", self.count)
    }
}

/// Makes the value of a script, and says which way it went. None if there is no such value.
fn follow<T: DeserializeOwned>(
    script: &[usize],
    dead: &mut BTreeSet<Fork>,
) -> Option<(T, Vec<Fork>)> {
    loop {
        let mut scripted = Scripted { script, dead, forks: Vec::new(), count: 0 };
        let made = make(&mut scripted);
        let forks = scripted.forks;
        match (made, forks.last()) {
            (Ok(value), _) => return Some((value, forks)),
            // A service that sends nothing, and others may.
            (Err(Unfit(why)), Some(last)) if why.ends_with("has no variant") => {
                dead.insert(*last);
                if forks.len() <= script.len() {
                    return None;
                }
            }
            (Err(Unfit(why)), _) => panic!("{} cannot be made: {why}", type_name::<T>()),
        }
    }
}

/// Values of a type in which every variant of every enum in it occurs, those left out that were
/// made before. Few: each new one takes another way at one fork of an earlier one.
pub(crate) fn cover<T: DeserializeOwned>(coverage: &mut Coverage) -> Vec<T> {
    let mut scripts = vec![Vec::new()];
    let mut values = Vec::new();
    let mut next = 0;
    while let Some(script) = scripts.get(next).cloned() {
        next += 1;
        let Some((value, forks)) = follow(&script, &mut coverage.dead) else { continue };
        values.push(value);
        coverage.made.extend(forks.iter().copied());
        coverage.tried.extend(forks.iter().copied());
        let choices: Vec<usize> = forks.iter().map(|fork| fork.2).collect();
        for (at, (name, variants, _)) in forks.iter().enumerate().skip(script.len()) {
            for other in 0..variants.len() {
                if coverage.tried.insert((name, variants, other)) {
                    scripts.push([&choices[..at], &[other]].concat());
                }
            }
        }
    }
    values
}
