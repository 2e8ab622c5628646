//! `cjson`: JSON, read.

use super::json::SETTINGS;
use super::{Call, number_value, one};
use mlua::{MultiValue, Table, Value};

/// Deeper than this our own stack would not hold, whatever was set.
const DEPTH_MAX: i64 = 1500;

pub(super) fn decode(call: &Call<'_>) -> mlua::Result<MultiValue> {
    if call.arguments.len() != 1 {
        return Err(call.bad(1, "expected 1 argument"));
    }
    let text = call.text(0)?;
    if text.len() >= 2 && (text[0] == 0 || text[1] == 0) {
        return Err(call.error("JSON parser does not support UTF-16 or UTF-32"));
    }
    let mut reader = Reader { call, text: &text, at: 0, depth: 0, depth_max: SETTINGS.get().decode_depth_max };
    let token = reader.next();
    let value = reader.value(token)?;
    match reader.next() {
        (Token::End, _) => one(value),
        token => Err(reader.unexpected("the end", &token)),
    }
}

enum Token {
    ObjectBegin,
    ObjectEnd,
    ArrayBegin,
    ArrayEnd,
    Text(Vec<u8>),
    Number(f64),
    Boolean(bool),
    Null,
    Colon,
    Comma,
    End,
    Error(&'static str),
}

impl Token {
    /// What errors call it.
    fn name(&self) -> &'static str {
        match self {
            Token::ObjectBegin => "T_OBJ_BEGIN",
            Token::ObjectEnd => "T_OBJ_END",
            Token::ArrayBegin => "T_ARR_BEGIN",
            Token::ArrayEnd => "T_ARR_END",
            Token::Text(_) => "T_STRING",
            Token::Number(_) => "T_NUMBER",
            Token::Boolean(_) => "T_BOOLEAN",
            Token::Null => "T_NULL",
            Token::Colon => "T_COLON",
            Token::Comma => "T_COMMA",
            Token::End => "T_END",
            Token::Error(text) => text,
        }
    }
}

/// A token, and where it begins.
type Placed = (Token, usize);

struct Reader<'a, 'c> {
    call: &'a Call<'c>,
    text: &'a [u8],
    at: usize,
    depth: i64,
    depth_max: i64,
}

impl Reader<'_, '_> {
    fn unexpected(&self, expected: &str, (token, at): &Placed) -> mlua::Error {
        self.call.error(&format!("Expected {expected} but found {} at character {}", token.name(), at + 1))
    }

    fn descend(&mut self) -> mlua::Result<()> {
        self.depth += 1;
        if self.depth > self.depth_max.min(DEPTH_MAX) {
            let text = format!("Found too many nested data structures ({}) at character {}", self.depth, self.at);
            return Err(self.call.error(&text));
        }
        Ok(())
    }

    fn value(&mut self, token: Placed) -> mlua::Result<Value> {
        Ok(match token {
            (Token::Text(text), _) => Value::String(self.call.lua.create_string(text)?),
            (Token::Number(number), _) => number_value(number),
            (Token::Boolean(flag), _) => Value::Boolean(flag),
            (Token::Null, _) => Value::NULL,
            (Token::ObjectBegin, _) => Value::Table(self.object()?),
            (Token::ArrayBegin, _) => Value::Table(self.array()?),
            token => return Err(self.unexpected("value", &token)),
        })
    }

    fn object(&mut self) -> mlua::Result<Table> {
        self.descend()?;
        let table = self.call.lua.create_table()?;
        let mut token = self.next();
        if !matches!(token.0, Token::ObjectEnd) {
            loop {
                let key = match token {
                    (Token::Text(key), _) => key,
                    token => return Err(self.unexpected("object key string", &token)),
                };
                match self.next() {
                    (Token::Colon, _) => {}
                    token => return Err(self.unexpected("colon", &token)),
                }
                let token_of_value = self.next();
                let value = self.value(token_of_value)?;
                table.raw_set(self.call.lua.create_string(key)?, value)?;
                match self.next() {
                    (Token::ObjectEnd, _) => break,
                    (Token::Comma, _) => {}
                    token => return Err(self.unexpected("comma or object end", &token)),
                }
                token = self.next();
            }
        }
        self.depth -= 1;
        Ok(table)
    }

    fn array(&mut self) -> mlua::Result<Table> {
        self.descend()?;
        let table = self.call.lua.create_table()?;
        let mut token = self.next();
        if !matches!(token.0, Token::ArrayEnd) {
            loop {
                let value = self.value(token)?;
                table.raw_push(value)?;
                match self.next() {
                    (Token::ArrayEnd, _) => break,
                    (Token::Comma, _) => {}
                    token => return Err(self.unexpected("comma or array end", &token)),
                }
                token = self.next();
            }
        }
        self.depth -= 1;
        Ok(table)
    }

    fn next(&mut self) -> Placed {
        while matches!(self.text.get(self.at), Some(b' ' | b'\t' | b'\n' | b'\r')) {
            self.at += 1;
        }
        let begin = self.at;
        let Some(&byte) = self.text.get(self.at) else { return (Token::End, begin) };
        self.at += 1;
        let token = match byte {
            b'{' => Token::ObjectBegin,
            b'}' => Token::ObjectEnd,
            b'[' => Token::ArrayBegin,
            b']' => Token::ArrayEnd,
            b',' => Token::Comma,
            b':' => Token::Colon,
            b'"' => return self.string(begin),
            b'-' | b'+' | b'0'..=b'9' => self.number(begin),
            b't' if self.takes(begin, b"true") => Token::Boolean(true),
            b'f' if self.takes(begin, b"false") => Token::Boolean(false),
            b'n' if self.takes(begin, b"null") => Token::Null,
            b'i' | b'I' | b'n' | b'N' if SETTINGS.get().decode_invalid => self.invalid_number(begin),
            _ => Token::Error("invalid token"),
        };
        if matches!(token, Token::Error(_)) {
            self.at = begin;
        }
        (token, begin)
    }

    fn takes(&mut self, begin: usize, word: &[u8]) -> bool {
        let found = self.text[begin..].starts_with(word);
        if found {
            self.at = begin + word.len();
        }
        found
    }

    /// `NaN`, `Infinity` and their kin, without regard to case.
    fn invalid_number(&mut self, begin: usize) -> Token {
        let rest = &self.text[begin..];
        for (word, value) in [("infinity", f64::INFINITY), ("inf", f64::INFINITY), ("nan", f64::NAN)] {
            if rest.len() >= word.len() && rest[..word.len()].eq_ignore_ascii_case(word.as_bytes()) {
                self.at = begin + word.len();
                return Token::Number(value);
            }
        }
        Token::Error("invalid token")
    }

    fn number(&mut self, begin: usize) -> Token {
        let rest = &self.text[begin..];
        let lenient = SETTINGS.get().decode_invalid;
        let unsigned = rest.strip_prefix(b"-").or_else(|| rest.strip_prefix(b"+")).unwrap_or(rest);
        let sign = rest.len() - unsigned.len();
        let is_hex = unsigned.len() > 1 && unsigned[0] == b'0' && unsigned[1] | 32 == b'x';
        let leads_with_zero = unsigned.len() > 1 && unsigned[0] == b'0' && unsigned[1].is_ascii_digit();
        let is_word = unsigned.first().is_some_and(|byte| matches!(byte | 32, b'i' | b'n'));
        if !lenient && (rest[0] == b'+' || is_hex || leads_with_zero || is_word) {
            return Token::Error("invalid number");
        }
        let negative = rest[0] == b'-';
        if is_word {
            return match self.invalid_number(begin + sign) {
                Token::Number(number) => Token::Number(if negative { -number } else { number }),
                _ => Token::Error("invalid number"),
            };
        }
        if is_hex {
            let digits = unsigned[2..].iter().take_while(|byte| byte.is_ascii_hexdigit()).count();
            if digits > 0 {
                let add = |sum: f64, byte: &u8| sum * 16.0 + f64::from(char::from(*byte).to_digit(16).unwrap_or(0));
                let value = unsigned[2..2 + digits].iter().fold(0.0, add);
                self.at = begin + sign + 2 + digits;
                return Token::Number(if negative { -value } else { value });
            }
        }
        let length = decimal_length(unsigned);
        let digits = std::str::from_utf8(&unsigned[..length]).unwrap_or_default();
        match digits.parse::<f64>() {
            Ok(value) => {
                self.at = begin + sign + length;
                Token::Number(if negative { -value } else { value })
            }
            Err(_) => Token::Error("invalid number"),
        }
    }

    fn string(&mut self, begin: usize) -> Placed {
        let mut out = Vec::new();
        loop {
            let rest = &self.text[self.at..];
            let plain = rest.iter().position(|byte| matches!(byte, b'"' | b'\\')).unwrap_or(rest.len());
            // A zero ends a C string, and so it does here.
            if let Some(zero) = rest[..plain].iter().position(|byte| *byte == 0) {
                return (Token::Error("unexpected end of string"), self.at + zero);
            }
            out.extend_from_slice(&rest[..plain]);
            self.at += plain;
            match self.text.get(self.at) {
                None => return (Token::Error("unexpected end of string"), self.at),
                Some(b'"') => {
                    self.at += 1;
                    return (Token::Text(out), begin);
                }
                Some(_) => {}
            }
            let escape = self.at;
            let Some(&letter) = self.text.get(escape + 1) else {
                return (Token::Error("invalid escape code"), escape);
            };
            self.at += 2;
            match letter {
                b'"' | b'\\' | b'/' => out.push(letter),
                b'b' => out.push(0x08),
                b'f' => out.push(0x0C),
                b'n' => out.push(b'\n'),
                b'r' => out.push(b'\r'),
                b't' => out.push(b'\t'),
                b'u' => match self.unicode(escape) {
                    Some(letter) => out.extend_from_slice(letter.encode_utf8(&mut [0; 4]).as_bytes()),
                    None => return (Token::Error("invalid unicode escape code"), escape),
                },
                _ => return (Token::Error("invalid escape code"), escape),
            }
        }
    }

    /// The letter that `\uXXXX` at `escape` stands for, or a pair of them.
    fn unicode(&mut self, escape: usize) -> Option<char> {
        let first = self.hex(escape + 2)?;
        self.at = escape + 6;
        if !(0xD800..0xE000).contains(&first) {
            return char::from_u32(first);
        }
        let is_pair = first < 0xDC00 && self.text.get(escape + 6..escape + 8) == Some(b"\\u");
        let second = if is_pair { self.hex(escape + 8)? } else { return None };
        if !(0xDC00..0xE000).contains(&second) {
            return None;
        }
        self.at = escape + 12;
        char::from_u32(0x10000 + ((first - 0xD800) << 10) + (second - 0xDC00))
    }

    fn hex(&self, at: usize) -> Option<u32> {
        let digits = self.text.get(at..at + 4)?;
        digits.iter().try_fold(0, |sum, byte| Some(sum * 16 + char::from(*byte).to_digit(16)?))
    }
}

/// How many bytes at the beginning are a decimal number without a sign.
fn decimal_length(text: &[u8]) -> usize {
    let digits = |from: usize| text[from.min(text.len())..].iter().take_while(|byte| byte.is_ascii_digit()).count();
    let mut length = digits(0);
    if text.get(length) == Some(&b'.') {
        length += 1 + digits(length + 1);
    }
    if text.get(length).is_some_and(|byte| byte | 32 == b'e') {
        let sign = usize::from(matches!(text.get(length + 1), Some(b'+' | b'-')));
        let exponent = digits(length + 1 + sign);
        if exponent > 0 {
            length += 1 + sign + exponent;
        }
    }
    length
}
