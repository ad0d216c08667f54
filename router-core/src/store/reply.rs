//! What the store answers.

use protocol::ErrorCode;

use super::directory::DirectoryReply;
use super::labels::LabelsReply;
use super::policy::PolicyReply;
use super::usage::UsageReply;

/// The answer to a [`StoreRequest`](super::StoreRequest), by feature: that of the request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum StoreReply {
    /// Of the directory.
    Directory(DirectoryReply),
    /// Of the policy.
    Policy(PolicyReply),
    /// Of the labels.
    Labels(LabelsReply),
    /// Of the usage ledger.
    Usage(UsageReply),
}

/// An answer of another feature than the request's: no store gives it.
const MISPLACED: StoreFailure = StoreFailure::Refused(ErrorCode::Internal);

impl StoreReply {
    /// The directory's answer. Errors: `Refused(internal)`, if it is another feature's.
    pub fn into_directory(self) -> StoreResult<DirectoryReply> {
        let Self::Directory(reply) = self else {
            return Err(MISPLACED);
        };
        Ok(reply)
    }

    /// The labels' answer. Errors: as [`Self::into_directory`].
    pub fn into_labels(self) -> StoreResult<LabelsReply> {
        let Self::Labels(reply) = self else {
            return Err(MISPLACED);
        };
        Ok(reply)
    }

    /// The policy's answer. Errors: as [`Self::into_directory`].
    pub fn into_policy(self) -> StoreResult<PolicyReply> {
        let Self::Policy(reply) = self else {
            return Err(MISPLACED);
        };
        Ok(reply)
    }

    /// The usage ledger's answer. Errors: as [`Self::into_directory`].
    pub fn into_usage(self) -> StoreResult<UsageReply> {
        let Self::Usage(reply) = self else {
            return Err(MISPLACED);
        };
        Ok(reply)
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StoreFailure {
    /// It was not executed, or what it asks for is not allowed.
    Refused(ErrorCode),
    /// No answer came: it may have been executed or not.
    Lost,
    /// It may have been executed, and what the store has of the tenant is damaged: repeated, it fails again until
    /// somebody repairs that.
    Damaged,
}

/// An answer, or why there is none.
pub type StoreResult<T = StoreReply> = Result<T, StoreFailure>;
