//! Notices: a page of them, for those who ask and for those who watch.

use lgpki_domain::BodyCode;
use lgpki_proto::Failure;

use super::{App, LONGEST_PAGE, PAGE};
use crate::ports::{LifecycleStore, NoticeQuery, NoticeStart, Notices};

impl<S: LifecycleStore> App<S> {
    /// What there is to tell now; 0 stands for the usual size of a page.
    pub(crate) async fn notices(
        &self,
        branch: Option<BodyCode>,
        start: NoticeStart,
        size: u32,
    ) -> Result<Notices, Failure> {
        let limit = match usize::try_from(size) {
            Ok(0) => PAGE,
            Ok(size) => size.min(LONGEST_PAGE),
            Err(_) => LONGEST_PAGE,
        };
        let query = NoticeQuery {
            branch,
            start,
            now: self.clock.now(),
            soon_days: self.notice_days,
            limit,
        };
        Ok(self.store.notices(query).await?)
    }
}
