//! A door that one client at a time goes through; the others leave their tickets, and whoever goes out has them called.

use crate::lock::Ticket;
use crate::sync::atomic::{AtomicBool, AtomicUsize, Ordering, fence};
use crate::sync::{Mutex, lock, spin_loop};

/// How often a busy door is tried before the client is parked: a few microseconds, in which most are out again.
const SPINS: u32 = if cfg!(loom) { 1 } else { 200 };

/// The door.
#[derive(Debug)]
pub struct Door {
    taken: AtomicBool,
    /// The length of `waiting`, for those who go out.
    parked: AtomicUsize,
    waiting: Mutex<Vec<Ticket>>,
}

impl Default for Door {
    fn default() -> Self {
        Door { taken: AtomicBool::new(false), parked: AtomicUsize::new(0), waiting: Mutex::new(Vec::new()) }
    }
}

impl Door {
    /// Goes in, or notes the ticket, which `leave` answers; then the client has to wait, and to try again.
    pub fn enter(&self, ticket: Ticket) -> bool {
        for _ in 0..SPINS {
            if !self.taken.load(Ordering::Relaxed) && self.try_enter() {
                return true;
            }
            spin_loop();
        }
        let mut waiting = lock(&self.waiting);
        waiting.push(ticket);
        self.parked.store(waiting.len(), Ordering::Relaxed);
        // Either whoever goes out now sees the ticket, or the next try finds the door free: each first says its own word and then
        // looks at the other's.
        fence(Ordering::SeqCst);
        if self.try_enter() {
            waiting.pop();
            self.parked.store(waiting.len(), Ordering::Relaxed);
            return true;
        }
        false
    }

    fn try_enter(&self) -> bool {
        self.taken.compare_exchange(false, true, Ordering::AcqRel, Ordering::Relaxed).is_ok()
    }

    /// Goes out; the answer is who waited.
    #[must_use = "those who wait have to be woken"]
    pub fn leave(&self) -> Vec<Ticket> {
        self.taken.store(false, Ordering::Release);
        fence(Ordering::SeqCst);
        if self.parked.load(Ordering::Relaxed) == 0 {
            return Vec::new();
        }
        let mut waiting = lock(&self.waiting);
        self.parked.store(0, Ordering::Relaxed);
        std::mem::take(&mut waiting)
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Door;
    use crate::lock::Ticket;

    #[test]
    fn whoever_finds_the_door_taken_is_called_when_it_is_free() {
        let door = Door::default();
        let ticket = |client| Ticket { thread: 0, client };
        assert!(door.enter(ticket(1)));
        assert!(!door.enter(ticket(2)));
        assert!(!door.enter(ticket(3)));
        assert_eq!(door.leave().iter().map(|ticket| ticket.client).collect::<Vec<_>>(), [2, 3]);
        assert!(door.enter(ticket(3)));
        assert!(door.leave().is_empty());
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::Door;
    use crate::lock::Ticket;
    use crate::sync::UnsafeCell;
    use loom::sync::{Arc, Notify};

    /// A door, what only one may touch at a time, and a bell for each client.
    struct House {
        door: Door,
        scripts: UnsafeCell<u32>,
        bells: [Notify; 2],
    }

    // SAFETY: whoever is inside is the only one who touches the scripts.
    unsafe impl Sync for House {}

    #[test]
    fn loom_one_is_inside_and_nobody_stays_outside_for_ever() {
        let mut model = loom::model::Builder::new();
        model.preemption_bound = Some(3);
        model.check(|| {
            let bells = [Notify::new(), Notify::new()];
            let house = Arc::new(House { door: Door::default(), scripts: UnsafeCell::new(0), bells });
            let run = |house: &House, client: u64| {
                while !house.door.enter(Ticket { thread: 0, client }) {
                    // A lost wake-up would leave the client here for ever, which Loom reports as a deadlock.
                    house.bells[client as usize].wait();
                }
                // SAFETY: only one is inside.
                house.scripts.with_mut(|scripts| unsafe { *scripts += 1 });
                house.door.leave().iter().for_each(|ticket| house.bells[ticket.client as usize].notify());
            };
            let other = {
                let house = Arc::clone(&house);
                loom::thread::spawn(move || run(&house, 1))
            };
            run(&house, 0);
            other.join().expect("it does not panic");
            // SAFETY: everybody is out.
            house.scripts.with(|scripts| assert_eq!(unsafe { *scripts }, 2));
        });
    }
}
