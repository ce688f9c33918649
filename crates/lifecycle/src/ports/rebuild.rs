//! Rebuilding the inventory beside the one that serves, and what the comparison tells.

use lgpki_domain::Serial;
use tokio::sync::mpsc;

use super::FeedBatch;

/// Asks for the inventory to be rebuilt from the log, beside the issuer's feed.
#[derive(Debug)]
pub struct RebuildOrder {
    /// The issuer's feed from its beginning.
    pub feed: mpsc::Receiver<FeedBatch>,
    /// How far the feed is compared: what is below this index stands in the inventory.
    pub until: u64,
    /// Whether to put the index right if it differs.
    pub apply: bool,
    /// Where it is told how things go; who no longer listens ends it.
    pub news: mpsc::Sender<RebuildNews>,
}

/// How a rebuilding goes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum RebuildNews {
    /// How far it has come.
    Progress {
        /// What is being done.
        stage: RebuildStage,
        /// Steps of it that are done.
        done: u64,
        /// Steps that it has.
        total: u64,
    },
    /// What differs.
    Differences(Vec<Difference>),
}

/// What a rebuilding does, in this order.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RebuildStage {
    /// Compares the issuer's feed with lifecycle's log, and replays the log; counted in entries of the
    /// issuer's log.
    Feed,
    /// Replays the rest of the log; counted in its entries.
    Log,
    /// Compares the records, on disk and in memory; counted in entries of the log.
    Records,
    /// Compares the orders and counters in memory, one by one.
    Counters,
    /// Puts the index right.
    Apply,
}

/// Where something differs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Place {
    /// Lifecycle's log is not what the issuer's feed tells; no index can mend that.
    Log,
    /// A record of the index.
    Index,
    /// What memory holds of a certificate.
    Memory,
    /// A counter in memory.
    Counter,
}

/// Something that is not as it was rebuilt.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Difference {
    /// Where.
    pub place: Place,
    /// Of which certificate, or abandoned serial number; none where it is not about one.
    pub serial: Option<Serial>,
    /// What of it.
    pub field: String,
    /// As it serves now; in the log, as the log has it.
    pub live: String,
    /// As it was rebuilt; in the log, as the feed tells it.
    pub rebuilt: String,
}

/// What a rebuilding found and did.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct RebuildReport {
    /// Certificates of the rebuilt inventory.
    pub certificates: u64,
    /// Those of them about which nothing differs.
    pub equal: u64,
    /// Differences, also those that were too many to tell.
    pub differences: u64,
    /// Those of them that are the log's.
    pub of_the_log: u64,
    /// How many keys of the index were changed; none where it was not put right.
    pub applied: Option<u64>,
}
