//! Arguments as places in the read buffer, so that a request costs no copy.

/// Where one argument stands: relative to the start of its command, or within the batch's own bytes.
///
/// 32 bits each, because a pipeline of a million arguments should cost 8 MB and not 16.
#[derive(Clone, Copy, Debug)]
pub(super) struct Span {
    pub(super) start: u32,
    pub(super) len: u32,
}

/// The places of the arguments of some commands that were parsed together; reused from batch to batch.
#[derive(Debug, Default)]
pub struct Batch {
    pub(super) spans: Vec<Span>,
    /// Arguments that do not stand in a read buffer as they are: of inline commands, and those of [`Batch::push`].
    pub(super) owned: Vec<u8>,
}

/// A complete command of a [`Batch`].
#[derive(Clone, Copy, Debug)]
pub struct Command {
    pub(super) first: u32,
    pub(super) count: u32,
    /// The arguments stand in `Batch::owned`.
    pub(super) owned: bool,
    /// Some arguments have types (see [`crate::typed`]): before each one but the name stands a word that says whether it does.
    pub is_typed: bool,
    /// How many bytes of the buffer the command took; the next one begins behind them.
    pub consumed: usize,
}

/// The arguments of one command, its name first. A small value to be passed by copy.
#[derive(Clone, Copy)]
pub struct Args<'a> {
    source: &'a [u8],
    spans: &'a [Span],
}

/// The word before an argument with types.
pub const TYPED: &[u8] = b"typed";

/// What an idle batch keeps: enough for any usual pipeline.
const SPANS_KEPT_MAX: usize = 8 * 1024;
const OWNED_BYTES_KEPT_MAX: usize = 64 * 1024;

impl Batch {
    /// Forgets all commands and keeps the memory, unless an unusual batch made it large.
    pub fn clear(&mut self) {
        const SPANS_KEPT_MAX: usize = 64 * 1024;
        const OWNED_KEPT_MAX: usize = 256 * 1024;
        self.spans.clear();
        self.owned.clear();
        if self.spans.capacity() > SPANS_KEPT_MAX {
            self.spans.shrink_to(SPANS_KEPT_MAX);
        }
        if self.owned.capacity() > OWNED_KEPT_MAX {
            self.owned.shrink_to(OWNED_KEPT_MAX);
        }
    }

    /// The arguments of `command`. `buffer` must begin with the same bytes as the one that the parser was given for it.
    #[inline]
    pub fn args<'a>(&'a self, command: &Command, buffer: &'a [u8]) -> Args<'a> {
        let first = command.first as usize;
        let source = if command.owned { &self.owned } else { buffer };
        Args { source, spans: &self.spans[first..first + command.count as usize] }
    }

    /// Gives back the memory of a batch that has been far larger than usual. Nothing of it may be needed any more.
    #[inline]
    pub fn trim(&mut self) {
        if self.spans.capacity() > SPANS_KEPT_MAX || self.owned.capacity() > OWNED_BYTES_KEPT_MAX {
            *self = Batch::default();
        }
    }

    /// Adds a command that did not come over the wire, copying its arguments.
    ///
    /// # Panics
    /// If the batch's copied arguments reach 4 GiB.
    pub fn push<'b>(&mut self, arguments: impl IntoIterator<Item = &'b [u8]>) -> Command {
        let first = self.spans.len();
        for argument in arguments {
            let start = self.owned.len();
            self.owned.extend_from_slice(argument);
            self.spans.push(Span::new(start, self.owned.len()).expect("a batch copies less than 4 GiB"));
        }
        self.command_since(first, true, 0)
    }

    /// Adds a command with arguments at `spans` of `buffer`, those numbered in `typed`, in ascending order, with types: each
    /// argument but the name follows a word, [`TYPED`] or an empty one.
    pub(super) fn push_typed(&mut self, buffer: &[u8], spans: &[Span], typed: &[u32], consumed: usize) -> Command {
        let mut typed = typed.iter().peekable();
        let marked = spans.iter().zip(0_u32..).flat_map(|(span, number)| {
            let mark: &[u8] = if typed.next_if_eq(&&number).is_some() { TYPED } else { b"" };
            let mark = (number > 0).then_some(mark);
            mark.into_iter().chain(std::iter::once(resolve(buffer, *span)))
        });
        Command { is_typed: true, consumed, ..self.push(marked) }
    }

    /// Begins a command whose words are added one by one with [`Batch::word`] until [`Batch::finish`].
    pub fn start(&self) -> usize {
        self.spans.len()
    }

    /// Adds a word to the command that was begun, copying it.
    ///
    /// # Panics
    /// If the batch's copied arguments reach 4 GiB.
    #[inline]
    pub fn word(&mut self, word: &[u8]) {
        let start = self.owned.len();
        self.owned.extend_from_slice(word);
        self.spans.push(Span::new(start, self.owned.len()).expect("a batch copies less than 4 GiB"));
    }

    /// The command that `start` began.
    pub fn finish(&self, start: usize) -> Command {
        self.command_since(start, true, 0)
    }

    /// The command whose spans begin at `first` and are the last ones.
    #[inline]
    pub(super) fn command_since(&self, first: usize, owned: bool, consumed: usize) -> Command {
        Command { first: first as u32, count: (self.spans.len() - first) as u32, owned, is_typed: false, consumed }
    }
}

impl Span {
    pub(super) fn new(start: usize, end: usize) -> Option<Span> {
        u32::try_from(end).ok()?;
        Some(Span { start: start as u32, len: (end - start) as u32 })
    }
}

impl Command {
    /// The number of arguments, the name included; at least 1.
    pub fn count(&self) -> usize {
        self.count as usize
    }
}

impl<'a> Args<'a> {
    /// No arguments, not even a name.
    pub const NONE: Args<'static> = Args { source: &[], spans: &[] };

    /// The number of arguments, the name included.
    #[inline]
    pub fn len(self) -> usize {
        self.spans.len()
    }

    /// Whether there is not even a name, which no parsed command is like.
    #[inline]
    pub fn is_empty(self) -> bool {
        self.spans.is_empty()
    }

    /// The argument at `index`; 0 is the command's name.
    ///
    /// # Panics
    /// If there is none; [`Args::get`] does not.
    #[inline]
    pub fn at(self, index: usize) -> &'a [u8] {
        self.resolve(self.spans[index])
    }

    /// The argument at `index`, if there is one.
    #[inline]
    pub fn get(self, index: usize) -> Option<&'a [u8]> {
        self.spans.get(index).map(|&span| self.resolve(span))
    }

    /// The arguments from `index` on; none if there are fewer.
    #[inline]
    pub fn from(self, index: usize) -> Args<'a> {
        Args { source: self.source, spans: self.spans.get(index..).unwrap_or(&[]) }
    }

    /// The first `count` arguments; all if there are fewer.
    #[inline]
    pub fn first(self, count: usize) -> Args<'a> {
        Args { source: self.source, spans: &self.spans[..count.min(self.spans.len())] }
    }

    /// All arguments in order, the name first.
    #[inline]
    pub fn iter(self) -> ArgsIter<'a> {
        ArgsIter { source: self.source, spans: self.spans.iter() }
    }

    /// The sum of the arguments' lengths in bytes.
    pub fn bytes(self) -> usize {
        self.spans.iter().map(|span| span.len as usize).sum()
    }

    #[inline]
    fn resolve(self, span: Span) -> &'a [u8] {
        resolve(self.source, span)
    }
}

#[inline]
fn resolve(source: &[u8], span: Span) -> &[u8] {
    &source[span.start as usize..][..span.len as usize]
}

impl<'a> IntoIterator for Args<'a> {
    type Item = &'a [u8];
    type IntoIter = ArgsIter<'a>;

    fn into_iter(self) -> ArgsIter<'a> {
        self.iter()
    }
}

impl std::fmt::Debug for Args<'_> {
    fn fmt(&self, out: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        out.debug_list().entries(self.iter().map(ochre_text::quote::quoted)).finish()
    }
}

/// Walks over arguments; see [`Args::iter`].
#[derive(Clone)]
pub struct ArgsIter<'a> {
    source: &'a [u8],
    spans: std::slice::Iter<'a, Span>,
}

impl<'a> Iterator for ArgsIter<'a> {
    type Item = &'a [u8];

    #[inline]
    fn next(&mut self) -> Option<&'a [u8]> {
        self.spans.next().map(|&span| resolve(self.source, span))
    }

    #[inline]
    fn size_hint(&self) -> (usize, Option<usize>) {
        self.spans.size_hint()
    }
}

impl DoubleEndedIterator for ArgsIter<'_> {
    #[inline]
    fn next_back(&mut self) -> Option<Self::Item> {
        self.spans.next_back().map(|&span| resolve(self.source, span))
    }
}

impl ExactSizeIterator for ArgsIter<'_> {}
