//! One walk along an entry's bytes: are they canonical JSON, and do they say what the schema allows?
//!
//! Nothing is built and nothing copied: the walk keeps where the envelope's members lie. It shares
//! no code with whoever writes entries. What is not canonical is not looked at further.

use crate::schema::{Form, Member, Schema, Type};

/// The largest magnitude of an integer: 2^53 - 1.
const MAX_INTEGER: u64 = (1 << 53) - 1;
/// Values within values, at most.
const DEEPEST: usize = 32;

/// The members of an entry, where they lie; texts as they stand between their quotation marks.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Envelope<'a> {
    pub(crate) about: Option<&'a [u8]>,
    pub(crate) actor: &'a [u8],
    pub(crate) answers: Option<&'a [u8]>,
    pub(crate) body: &'a [u8],
    pub(crate) kind: &'a [u8],
    pub(crate) time: &'a [u8],
    /// The kind's place in the schema.
    pub(crate) known: Option<usize>,
}

/// What the walk found.
#[derive(Debug)]
pub(crate) struct Scanned<'a> {
    pub(crate) envelope: Envelope<'a>,
    /// Where the entry departs from the schema first.
    pub(crate) departs: Option<String>,
}

/// Walks along an entry of `service`; the error says why it is not canonical.
pub(crate) fn scan<'a>(
    schema: &Schema,
    service: &str,
    bytes: &'a [u8],
) -> Result<Scanned<'a>, String> {
    if std::str::from_utf8(bytes).is_err() {
        return Err("it is not UTF-8".to_owned());
    }
    let mut walk = Walk {
        bytes,
        at: 0,
        depth: 0,
        departs: None,
    };
    let mut envelope = Envelope::default();
    let guessed = guess(schema, service, bytes);
    let mut seen = 0_u8;
    walk.object(|walk, name| {
        let from = walk.at;
        let (of, bit): (Option<&Type>, u8) = match name {
            b"about" => (Some(&schema.about), 0),
            b"actor" => (Some(&Type::Text(Form::Text)), 1),
            b"answers" => (Some(&schema.answers), 2),
            b"body" => (guessed.map(|at| &*schema.kinds()[at].body), 3),
            b"kind" => (Some(&Type::Text(Form::Text)), 4),
            b"node" => (Some(&Type::Text(Form::Text)), 5),
            b"time" => (Some(&Type::Text(Form::Time)), 6),
            b"v" => (Some(&Type::Number), 7),
            other => {
                walk.depart(|| format!("it has a member {:?}", String::from_utf8_lossy(other)));
                (None, 0)
            }
        };
        seen |= 1 << bit;
        walk.value(of)?;
        let value = &walk.bytes[from..walk.at];
        let text = || {
            value
                .get(1..value.len().saturating_sub(1))
                .unwrap_or_default()
        };
        match bit {
            0 => envelope.about = Some(value),
            1 => envelope.actor = text(),
            2 => envelope.answers = Some(value),
            3 => envelope.body = value,
            4 => envelope.kind = text(),
            6 => envelope.time = text(),
            7 => envelope.known = known(schema, service, (envelope.kind, value)),
            _ => {}
        }
        Ok(())
    })?;
    if walk.at != bytes.len() {
        return Err(format!("something follows at byte {}", walk.at));
    }
    if seen & 0b1111_1010 != 0b1111_1010 {
        walk.depart(|| "it lacks a member of every entry".to_owned());
    }
    let mut departs = walk.departs;
    if envelope.known.is_none() {
        let kind = String::from_utf8_lossy(envelope.kind).into_owned();
        departs = Some(format!(
            "{service} writes no entry of the kind {kind:?} in this version"
        ));
    } else if envelope.known != guessed {
        // The tail misled: the body was held against another kind.
        departs.get_or_insert_with(|| "a text near its end looks like its kind".to_owned());
    }
    Ok(Scanned { envelope, departs })
}

fn known(schema: &Schema, service: &str, (kind, v): (&[u8], &[u8])) -> Option<usize> {
    let version = std::str::from_utf8(v).ok()?.parse().ok()?;
    schema.find(service, std::str::from_utf8(kind).ok()?, version)
}

/// The kind by the entry's tail, for it stands behind the body.
fn guess(schema: &Schema, service: &str, bytes: &[u8]) -> Option<usize> {
    const KIND: &[u8] = b",\"kind\":\"";
    let mark = |at: &usize| bytes[*at..].starts_with(KIND);
    let at = (0..bytes.len().saturating_sub(KIND.len())).rev().take(600);
    let tail = &bytes[at.into_iter().find(mark)? + KIND.len()..];
    let kind = &tail[..tail.iter().position(|b| *b == b'"')?];
    let v = tail.iter().rposition(|b| *b == b':')?;
    known(schema, service, (kind, tail.get(v + 1..tail.len() - 1)?))
}

struct Walk<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: usize,
    departs: Option<String>,
}

impl<'a> Walk<'a> {
    fn depart(&mut self, why: impl FnOnce() -> String) {
        self.departs.get_or_insert_with(why);
    }

    fn peek(&self) -> u8 {
        self.bytes.get(self.at).copied().unwrap_or_default()
    }

    fn expect(&mut self, byte: u8) -> Result<(), String> {
        if self.peek() == byte && self.at < self.bytes.len() {
            self.at += 1;
            return Ok(());
        }
        Err(format!("byte {} is not {:?}", self.at, char::from(byte)))
    }

    /// Walks along an object; `member` is called with each name and must walk along its value.
    fn object(
        &mut self,
        mut member: impl FnMut(&mut Self, &'a [u8]) -> Result<(), String>,
    ) -> Result<(), String> {
        self.expect(b'{')?;
        self.depth += 1;
        if self.depth > DEEPEST {
            return Err("it is nested too deeply".to_owned());
        }
        let mut last: Option<&[u8]> = None;
        while self.peek() != b'}' {
            if last.is_some() {
                self.expect(b',')?;
            }
            let name = self.text()?;
            let plain = name.iter().all(|b| b.is_ascii() && *b != b'\\');
            if !plain || last.is_some_and(|last| last >= name) {
                let name = String::from_utf8_lossy(name);
                return Err(format!("the member {name:?} is not in its place"));
            }
            last = Some(name);
            self.expect(b':')?;
            member(self, name)?;
        }
        self.depth -= 1;
        self.expect(b'}')
    }

    /// Walks along a value, which must be of a type where one is given.
    fn value(&mut self, of: Option<&Type>) -> Result<(), String> {
        match self.peek() {
            b'{' => self.any_object(of),
            b'[' => {
                let inner = match of {
                    Some(Type::List(inner)) => Some(&**inner),
                    Some(_) => {
                        self.unlike("a list");
                        None
                    }
                    None => None,
                };
                self.at += 1;
                self.depth += 1;
                if self.depth > DEEPEST {
                    return Err("it is nested too deeply".to_owned());
                }
                if self.peek() != b']' {
                    self.value(inner)?;
                    while self.peek() == b',' {
                        self.at += 1;
                        self.value(inner)?;
                    }
                }
                self.depth -= 1;
                self.expect(b']')
            }
            b'"' => {
                let text = self.text()?;
                let fits = match of {
                    Some(Type::Text(form)) => form.fits(text),
                    Some(Type::Choice { texts, .. }) => texts.iter().any(|t| t.as_bytes() == text),
                    Some(_) => false,
                    None => true,
                };
                if !fits {
                    let text: String = String::from_utf8_lossy(text).chars().take(40).collect();
                    self.unlike(&format!("the text {text:?}"));
                }
                Ok(())
            }
            b't' => self.word(b"true", of),
            b'f' => self.word(b"false", of),
            b'n' => Err("it holds a null".to_owned()),
            _ => self.number(of),
        }
    }

    fn any_object(&mut self, of: Option<&Type>) -> Result<(), String> {
        match of {
            Some(Type::Record(members)) => self.record(members),
            Some(Type::Choice { members, .. }) => {
                let mut count = 0;
                self.object(|walk, name| {
                    count += 1;
                    let found = members.iter().find(|(known, _)| known.as_bytes() == name);
                    if found.is_none() || count > 1 {
                        walk.unlike(&format!("a choice {:?}", String::from_utf8_lossy(name)));
                    }
                    walk.value(found.map(|(_, of)| &**of))
                })?;
                if count == 0 {
                    self.unlike("an object without members");
                }
                Ok(())
            }
            other => {
                if other.is_some() {
                    self.unlike("an object");
                }
                self.object(|walk, _| walk.value(None))
            }
        }
    }

    fn record(&mut self, members: &[Member]) -> Result<(), String> {
        let mut left = members.iter().peekable();
        let lacks = |walk: &mut Self, member: &Member| {
            if member.required {
                walk.depart(|| format!("it lacks {}", member.name));
            }
        };
        self.object(|walk, name| {
            while let Some(member) = left.next_if(|m| m.name.as_bytes() < name) {
                lacks(walk, member);
            }
            let found = left.next_if(|m| m.name.as_bytes() == name);
            if found.is_none() {
                walk.depart(|| format!("it has a member {:?}", String::from_utf8_lossy(name)));
            }
            walk.value(found.map(|member| &*member.of))
        })?;
        for member in left {
            lacks(self, member);
        }
        Ok(())
    }

    fn unlike(&mut self, what: &str) {
        let at = self.at;
        self.depart(|| format!("{what} before byte {at} is not what the schema has there"));
    }

    fn word(&mut self, word: &[u8], of: Option<&Type>) -> Result<(), String> {
        if !self.bytes[self.at..].starts_with(word) {
            return Err(format!("byte {} begins no value", self.at));
        }
        self.at += word.len();
        if !matches!(of, None | Some(Type::Boolean)) {
            self.unlike("a truth value");
        }
        Ok(())
    }

    fn number(&mut self, of: Option<&Type>) -> Result<(), String> {
        let from = self.at;
        let negative = self.peek() == b'-';
        self.at += usize::from(negative);
        let digits = self.at;
        let mut magnitude = 0_u64;
        while self.peek().is_ascii_digit() {
            magnitude = magnitude
                .saturating_mul(10)
                .saturating_add(u64::from(self.peek() - b'0'));
            self.at += 1;
        }
        let length = self.at - digits;
        let spelt = length > 0 && (length == 1 || self.bytes[digits] != b'0');
        let fraction = matches!(self.peek(), b'.' | b'e' | b'E');
        if !spelt || fraction || magnitude > MAX_INTEGER || (negative && magnitude == 0) {
            return Err(format!(
                "at byte {from} stands no integer below 2^53 in its one spelling"
            ));
        }
        if negative || !matches!(of, None | Some(Type::Number)) {
            self.unlike("a number");
        }
        Ok(())
    }

    /// Walks along a text and gives what stands between its quotation marks.
    fn text(&mut self) -> Result<&'a [u8], String> {
        self.expect(b'"')?;
        let from = self.at;
        loop {
            let rest = self.bytes.get(self.at..).unwrap_or_default();
            let plain = rest
                .iter()
                .position(|b| matches!(b, b'"' | b'\\' | 0..=0x1f));
            let Some(plain) = plain else {
                return Err(format!("the text at byte {from} does not end"));
            };
            self.at += plain;
            match rest[plain] {
                b'"' => {
                    self.at += 1;
                    return Ok(&self.bytes[from..self.at - 1]);
                }
                b'\\' => match escape(&rest[plain..]) {
                    Some(length) => self.at += length,
                    None => {
                        return Err(format!(
                            "the escape at byte {} is not the canonical one",
                            self.at
                        ));
                    }
                },
                _ => return Err(format!("byte {} is a bare control character", self.at)),
            }
        }
    }
}

/// How long the escape at the beginning is, if RFC 8785 §3.2.2.2 writes it so.
fn escape(bytes: &[u8]) -> Option<usize> {
    match bytes.get(1)? {
        b'"' | b'\\' | b'b' | b'f' | b'n' | b'r' | b't' => Some(2),
        b'u' => {
            let [
                b'0',
                b'0',
                high @ b'0'..=b'1',
                low @ (b'0'..=b'9' | b'a'..=b'f'),
            ] = bytes.get(2..6)?
            else {
                return None;
            };
            // Those with a short form are written so.
            let short = *high == b'0' && matches!(low, b'8' | b'9' | b'a' | b'c' | b'd');
            (!short).then_some(6)
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests;
