//! Prints what a table of entries costs: ns per look-up, bytes per key, the longest insertion, and the work of expiry.
//!
//! `cargo run --release -p ochre-collections --example table_speed -- 1000000 10000000`

use std::hint::black_box;
use std::time::{Duration, Instant};

use ochre_collections::{Entry, EntryRef, Lookup, Mimalloc, Slot, Sweep, Table, Value, View, hash};

#[global_allocator]
static ALLOCATOR: Mimalloc = Mimalloc;

/// As large as the keyspace's.
type Object = [u64; 2];

fn main() {
    let sizes: Vec<usize> = std::env::args().skip(1).filter_map(|size| size.parse().ok()).collect();
    for size in if sizes.is_empty() { vec![1_000_000, 10_000_000] } else { sizes } {
        measure(size);
        if size <= 10_000_000 {
            measure_expiry(size);
        }
    }
}

fn measure(size: usize) {
    println!("{size} keys of 16 + 16 bytes");
    let mut times = Times([0; 10_000]);
    let before = resident_bytes();
    let mut table = Table::<Entry<Object>>::new();
    let start = Instant::now();
    for number in 0..size {
        let key = key(number);
        let began = Instant::now();
        let hash = hash(&key);
        if let Lookup::Vacant(vacant) = table.entry(hash, &key) {
            vacant.insert(Entry::new(&key, Value::Str { bytes: &key, raw: false }, None));
        }
        times.add(began.elapsed());
    }
    let each = start.elapsed().as_nanos() as f64 / size as f64;
    println!("  insert          {each:6.1} ns; µs: {times}");
    let bytes = |bytes: usize| bytes as f64 / size as f64;
    println!(
        "  memory          {:6.2} bytes resident each, of which the table {:.2}",
        bytes(resident_bytes() - before),
        bytes(table.memory_bytes())
    );

    let order = random_keys(size, 0);
    let missing = random_keys(size, size);
    report("get", || order.iter().map(|key| get(&table, key)).sum());
    report("get, one by one", || order.iter().fold(0, |last, key| get_after(&table, key, last)));
    report("get, missing", || missing.iter().map(|key| get(&table, key)).sum());
    report("get, 16 fetched", || order.chunks_exact(16).map(|keys| get_together(&table, keys)).sum());
    report("get, 64 hot", || (0..order.len()).map(|i| get(&table, &order[i % 64])).sum());
    report("find, 16 fetched", || order.chunks_exact(16).map(|keys| find_together(&mut table, keys)).sum());
    report("overwrite", || order.iter().map(|key| overwrite(&mut table, key)).sum());
    report("remove, insert", || order.iter().map(|key| replace(&mut table, key)).sum());
    println!("  memory          {:6.2} bytes each in the table after that", bytes(table.memory_bytes()));

    let start = Instant::now();
    let (mut cursor, mut seen) = (0, 0);
    loop {
        cursor = table.scan(cursor, &mut |entry: EntryRef<'_, Object>| seen += usize::from(entry.key().len() == 16));
        if cursor == 0 {
            break;
        }
    }
    println!("  scan            {:6.1} ns each", start.elapsed().as_nanos() as f64 / seen as f64);
    let start = Instant::now();
    let seen = table.iter().filter(|entry| entry.key().len() == 16).count();
    println!("  iter            {:6.1} ns each", start.elapsed().as_nanos() as f64 / seen as f64);
    let start = Instant::now();
    let sum: usize = (0..1_000_000).filter_map(|draw| table.random(draw)).map(|entry| entry.key().len()).sum();
    println!("  random          {:6.1} ns", start.elapsed().as_nanos() as f64 / 1e6);
    assert_eq!(sum, 16_000_000);

    for number in 0..size / 2 {
        let key = key(2 * number);
        table.find(hash(&key), &key).expect("it is there").set_expiry(Some(1));
    }
    let start = Instant::now();
    table.retain(|entry| entry.as_ref().expiry_ms().is_none());
    println!("  retain half     {:6.1} ns each", start.elapsed().as_nanos() as f64 / size as f64);
    for number in 0..size / 2 {
        let key = key(2 * number);
        table.insert_new(hash(&key), Entry::new(&key, Value::Int(1), None));
    }

    let mut times = Times([0; 10_000]);
    let start = Instant::now();
    for number in 0..size {
        let key = key(number);
        let began = Instant::now();
        table.remove(hash(&key), &key);
        times.add(began.elapsed());
    }
    println!("  remove          {:6.1} ns; µs: {times}", start.elapsed().as_nanos() as f64 / size as f64);
    assert_eq!(table.memory_bytes(), 0);
}

/// Counts of durations, in steps of 0.1 µs to 1 ms.
struct Times([usize; 10_000]);

impl Times {
    fn add(&mut self, time: Duration) {
        self.0[(time.as_nanos() as usize / 100).min(9_999)] += 1;
    }
}

impl std::fmt::Display for Times {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let all: usize = self.0.iter().sum();
        for percent in [99.0, 99.9, 99.99, 99.999] {
            let mut left = (all as f64 * (1.0 - percent / 100.0)) as usize;
            let step = (0..10_000).rev().find(|&step| {
                let here = self.0[step];
                let found = here > left;
                left = left.saturating_sub(here);
                found
            });
            write!(f, "p{percent} {:.1}, ", step.unwrap_or(0) as f64 / 10.0)?;
        }
        // What takes longer than 0.1 ms is another process on this core, or the kernel.
        let moves = self.0[..1000].iter().rposition(|&count| count > 0).unwrap_or(0);
        write!(f, "longest below 0.1 ms {:.1}, above {}", moves as f64 / 10.0, self.0[1000..].iter().sum::<usize>())
    }
}

/// All keys expire evenly over 60 s; a sweep every 100 ms takes out what expired, visiting segments half a second late.
fn measure_expiry(size: usize) {
    struct Expire {
        now_ms: u64,
        late_ms: u64,
        removed: usize,
    }

    impl Sweep<Entry<Object>> for Expire {
        fn keep(&mut self, entry: EntryRef<'_, Object>) -> Option<u64> {
            let expiry_ms = entry.expiry_ms().unwrap_or(u64::MAX);
            (expiry_ms > self.now_ms).then_some(expiry_ms)
        }

        fn removed(&mut self, entry: Entry<Object>) {
            self.late_ms = self.late_ms.max(self.now_ms - entry.as_ref().expiry_ms().expect("it expired"));
            self.removed += 1;
        }
    }

    let mut table = Table::<Entry<Object>>::new();
    for number in 0..size {
        let key = key(number);
        let hash = hash(&key);
        let expiry_ms = (number as u64).wrapping_mul(0x9e37_79b9_7f4a_7c15) % 60_000;
        table.insert_new(hash, Entry::new(&key, Value::Int(1), Some(expiry_ms)));
        table.note_deadline(hash, expiry_ms);
    }
    let lag_ms = 500;
    {
        let (mut visited, mut resume) = (0, 0);
        let mut worst = Duration::ZERO;
        let mut sweep = Expire { now_ms: 0, late_ms: 0, removed: 0 };
        let start = Instant::now();
        for now_ms in (0..10_000_u64).step_by(100) {
            sweep.now_ms = now_ms;
            loop {
                let began = Instant::now();
                let Some(items) = table.sweep_due(now_ms.saturating_sub(lag_ms), &mut resume, &mut sweep) else {
                    worst = worst.max(began.elapsed());
                    break;
                };
                worst = worst.max(began.elapsed());
                visited += items;
            }
        }
        let took = start.elapsed();
        println!(
            "  expiry          {:6.2} % of a core for {} a second, at most {} ms late; {visited} visits, {:.1} ns each, longest call {worst:?}",
            took.as_secs_f64() * 10.0,
            sweep.removed / 10,
            sweep.late_ms,
            took.as_nanos() as f64 / visited as f64
        );
    }
    let (start, left) = (Instant::now(), table.len());
    drop(table);
    println!("  drop            {:6.1} ns each", start.elapsed().as_nanos() as f64 / left as f64);
}

fn get(table: &Table<Entry<Object>>, key: &Key) -> u64 {
    table.get(hash(key), key).map_or(0, first_byte)
}

/// The next look-up cannot begin before the last one has ended.
fn get_after(table: &Table<Entry<Object>>, key: &Key, last: u64) -> u64 {
    table.get(hash(key) ^ (black_box(last) & 0x100), key).map_or(0, first_byte)
}

fn first_byte(entry: EntryRef<'_, Object>) -> u64 {
    match entry.view() {
        View::Str { bytes, .. } => bytes[0].into(),
        _ => 0,
    }
}

fn get_together(table: &Table<Entry<Object>>, keys: &[Key]) -> u64 {
    let hashes = fetch(table, keys);
    keys.iter().zip(hashes).map(|(key, hash)| table.get(hash, key).map_or(0, first_byte)).sum()
}

fn find_together(table: &mut Table<Entry<Object>>, keys: &[Key]) -> u64 {
    let hashes = fetch(table, keys);
    let mut sum = 0;
    for (key, hash) in keys.iter().zip(hashes) {
        let mut slot = table.find(hash, key).expect("it is there");
        slot.set_clock(77);
        sum += first_byte(Slot::into_item(slot));
    }
    sum
}

fn fetch(table: &Table<Entry<Object>>, keys: &[Key]) -> [u64; 16] {
    let hashes = std::array::from_fn(|i| hash(&keys[i]));
    let homes: Vec<_> = hashes.iter().map(|&hash| table.prefetch(hash)).collect();
    homes.iter().for_each(|home| home.prefetch_item());
    hashes
}

fn overwrite(table: &mut Table<Entry<Object>>, key: &Key) -> u64 {
    let mut slot = table.find(hash(key), key).expect("it is there");
    slot.set_value(Value::Str { bytes: key, raw: false });
    1
}

fn replace(table: &mut Table<Entry<Object>>, key: &Key) -> u64 {
    let hash = hash(key);
    let entry = table.remove(hash, key).expect("it is there");
    table.insert_new(hash, entry);
    1
}

/// The best of three runs over all random keys.
fn report(name: &str, mut work: impl FnMut() -> u64) {
    let best = (0..3)
        .map(|_| {
            let start = Instant::now();
            black_box(work());
            start.elapsed()
        })
        .min()
        .expect("three runs");
    println!("  {name:16}{:6.1} ns", best.as_nanos() as f64 / RANDOM_KEYS as f64);
}

type Key = [u8; 16];

const RANDOM_KEYS: usize = 2_000_000;

/// `key:` and 12 digits.
fn key(number: usize) -> Key {
    let mut key = *b"key:000000000000";
    let (mut rest, mut at) = (number, 16);
    while rest > 0 {
        at -= 1;
        key[at] += (rest % 10) as u8;
        rest /= 10;
    }
    key
}

/// The keys of random numbers from `first` to `first + size`.
fn random_keys(size: usize, first: usize) -> Vec<Key> {
    let mut random = 0x1234_5678_9abc_def1_u64;
    let keys = (0..RANDOM_KEYS).map(|_| {
        random ^= random << 13;
        random ^= random >> 7;
        random ^= random << 17;
        key(first + (random % size as u64) as usize)
    });
    keys.collect()
}

fn resident_bytes() -> usize {
    let statm = std::fs::read_to_string("/proc/self/statm").expect("Linux");
    let pages: usize = statm.split(' ').nth(1).and_then(|pages| pages.parse().ok()).expect("the second number");
    pages * 4096
}
