//! Several may answer a client that waits, on different threads, and only one does: whoever takes the claim.

use crate::sync::atomic::{AtomicU8, Ordering};

const FREE: u8 = 0;
const TAKEN: u8 = 1;
const ENDED: u8 = 2;

/// The right to answer, which one at a time has.
#[derive(Debug)]
pub struct Claim(AtomicU8);

impl Default for Claim {
    fn default() -> Self {
        Claim(AtomicU8::new(FREE))
    }
}

impl Claim {
    /// Takes the right to answer, if nobody has it; no means that somebody answers, or nobody will.
    pub fn take(&self) -> bool {
        self.0.compare_exchange(FREE, TAKEN, Ordering::AcqRel, Ordering::Acquire).is_ok()
    }

    /// Gives the right back that `take` gave: there was no answer after all. Has no effect once the wait has ended.
    pub fn give_back(&self) {
        let _ = self.0.compare_exchange(TAKEN, FREE, Ordering::AcqRel, Ordering::Relaxed);
    }

    /// Ends the wait without an answer: nobody can take the right from now on, also if somebody gives it back who has it now.
    pub fn end(&self) {
        self.0.swap(ENDED, Ordering::AcqRel);
    }

    /// Whether nobody can take it now.
    pub fn is_taken(&self) -> bool {
        self.0.load(Ordering::Acquire) != FREE
    }
}

#[cfg(all(test, not(loom)))]
mod tests {
    use super::Claim;

    #[test]
    fn a_claim_is_taken_once_until_it_is_given_back_or_the_wait_ends() {
        let claim = Claim::default();
        assert!(claim.take() && !claim.take() && claim.is_taken());
        claim.give_back();
        assert!(!claim.is_taken() && claim.take());
        claim.end();
        claim.give_back();
        assert!(claim.is_taken() && !claim.take());
    }
}

#[cfg(all(test, loom))]
mod models {
    use super::Claim;
    use crate::sync::UnsafeCell;
    use loom::sync::Arc;

    /// A claim and the answer that it guards; Loom reports two who write it at once.
    struct Wait {
        claim: Claim,
        answers: UnsafeCell<u32>,
    }

    // SAFETY: whoever has the claim is the only one who touches the answers.
    unsafe impl Sync for Wait {}

    impl Wait {
        fn new() -> Arc<Wait> {
            Arc::new(Wait { claim: Claim::default(), answers: UnsafeCell::new(0) })
        }

        /// Answers, if nobody else does.
        fn answer(&self) -> bool {
            let takes = self.claim.take();
            if takes {
                // SAFETY: the claim is ours.
                self.answers.with_mut(|answers| unsafe { *answers += 1 });
            }
            takes
        }
    }

    #[test]
    fn loom_one_of_two_pushes_and_a_timeout_answers() {
        loom::model(|| {
            let wait = Wait::new();
            let others: Vec<_> = (0..2)
                .map(|_| {
                    let wait = Arc::clone(&wait);
                    loom::thread::spawn(move || wait.answer())
                })
                .collect();
            let own = wait.answer();
            let answered = others.into_iter().map(|other| other.join().expect("it does not panic"));
            assert_eq!(answered.chain([own]).filter(|answered| *answered).count(), 1);
        });
    }

    #[test]
    fn loom_what_is_given_back_can_be_taken_by_others() {
        loom::model(|| {
            let wait = Wait::new();
            let tries = Arc::clone(&wait);
            let other = loom::thread::spawn(move || {
                // Its command finds nothing: the client goes on waiting.
                if tries.claim.take() {
                    // SAFETY: the claim is ours.
                    tries.answers.with_mut(|answers| unsafe { *answers += 0 });
                    tries.claim.give_back();
                }
            });
            let own = wait.answer();
            other.join().expect("it does not panic");
            assert!(own != wait.answer());
        });
    }

    #[test]
    fn loom_nobody_answers_a_client_that_is_gone() {
        loom::model(|| {
            let wait = Wait::new();
            let tries = Arc::clone(&wait);
            let other = loom::thread::spawn(move || {
                if tries.claim.take() {
                    tries.claim.give_back();
                }
            });
            wait.claim.end();
            other.join().expect("it does not panic");
            assert!(!wait.claim.take());
        });
    }
}
