//! How the node takes its locks.

use std::sync::{Mutex, MutexGuard, PoisonError};

/// A panic is caught where it happens and closes its connection; what it locked is still good,
/// since machines change their state in steps that are whole.
pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
