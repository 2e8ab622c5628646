//! One element of a packed list: bytes, or an integer that stands for its decimal text.

/// The longest decimal text of an `i64`, in bytes.
pub const INTEGER_TEXT_MAX: usize = 20;

/// An element as it is stored. Two items are the same element when their texts are the same bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Item<'a> {
    /// Stands for its decimal text.
    Int(i64),
    /// Any bytes; never the decimal text of an `i64` when this crate wrote them.
    Bytes(&'a [u8]),
}

impl<'a> Item<'a> {
    /// The form in which these bytes are stored: an integer if they are the one decimal text of an `i64`.
    #[inline]
    pub fn from_text(text: &'a [u8]) -> Item<'a> {
        match parse_integer(text) {
            Some(value) => Item::Int(value),
            None => Item::Bytes(text),
        }
    }

    /// The length of the text in bytes.
    #[inline]
    pub fn len(&self) -> usize {
        match self {
            Item::Int(value) => integer_text_len(*value),
            Item::Bytes(bytes) => bytes.len(),
        }
    }

    /// Whether the text is empty.
    #[inline]
    pub fn is_empty(&self) -> bool {
        matches!(self, Item::Bytes([]))
    }

    /// Whether the text is these bytes.
    #[inline]
    pub fn eq_bytes(&self, text: &[u8]) -> bool {
        match self {
            Item::Int(value) => parse_integer(text) == Some(*value),
            Item::Bytes(bytes) => *bytes == text,
        }
    }

    /// Appends the text.
    #[inline]
    pub fn write_to(&self, out: &mut Vec<u8>) {
        out.extend_from_slice(self.as_bytes(&mut [0; INTEGER_TEXT_MAX]));
    }

    /// The text, written into `buffer` if it is an integer.
    #[inline]
    pub fn as_bytes<'b>(&self, buffer: &'b mut [u8; INTEGER_TEXT_MAX]) -> &'b [u8]
    where
        'a: 'b,
    {
        match self {
            Item::Int(value) => format_integer(*value, buffer),
            Item::Bytes(bytes) => bytes,
        }
    }

    /// The text as an owned copy.
    pub fn to_vec(&self) -> Vec<u8> {
        self.as_bytes(&mut [0; INTEGER_TEXT_MAX]).to_vec()
    }

    /// The integer that the text stands for, if it is the decimal text of one.
    #[inline]
    pub fn as_int(&self) -> Option<i64> {
        match self {
            Item::Int(value) => Some(*value),
            Item::Bytes(bytes) => parse_integer(bytes),
        }
    }
}

/// The value of `text` if it is exactly what `format_integer` would write: no sign `+`, no leading zero, no `-0`.
#[inline]
pub(crate) fn parse_integer(text: &[u8]) -> Option<i64> {
    // Most strings are refused here.
    match text.first()? {
        b'0'..=b'9' | b'-' if text.len() <= INTEGER_TEXT_MAX => parse_digits(text),
        _ => None,
    }
}

fn parse_digits(text: &[u8]) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', digits @ ..] => (true, digits),
        digits => (false, digits),
    };
    match digits {
        [b'0'] if !negative => return Some(0),
        [b'1'..=b'9', ..] if digits.len() <= 19 => {}
        _ => return None,
    }
    let mut value = 0u64; // 19 digits cannot overflow it
    for &digit in digits {
        let digit = digit.wrapping_sub(b'0');
        if digit > 9 {
            return None;
        }
        value = value * 10 + u64::from(digit);
    }
    if negative { 0i64.checked_sub_unsigned(value) } else { i64::try_from(value).ok() }
}

/// Writes the decimal text to the end of `buffer` and returns it.
#[inline]
pub(crate) fn format_integer(value: i64, buffer: &mut [u8; INTEGER_TEXT_MAX]) -> &[u8] {
    let mut rest = value.unsigned_abs();
    let mut at = INTEGER_TEXT_MAX;
    while rest >= 10 {
        at -= 1;
        buffer[at] = b'0' + (rest % 10) as u8;
        rest /= 10;
    }
    at -= 1;
    buffer[at] = b'0' + rest as u8;
    if value < 0 {
        at -= 1;
        buffer[at] = b'-';
    }
    &buffer[at..]
}

/// The length of the decimal text, without writing it.
#[inline]
pub(crate) fn integer_text_len(value: i64) -> usize {
    let digits = value.unsigned_abs().checked_ilog10().unwrap_or(0) as usize + 1;
    digits + usize::from(value < 0)
}
