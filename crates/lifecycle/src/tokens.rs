//! Signs the tokens of renewal slots, with an Ed25519 key that lives in memory only.
//!
//! The key is made when the first token is asked for and its public part is durable in the log before it
//! signs; whoever verifies asks for all keys whose tokens may still hold. Nothing of the private part is ever
//! written anywhere, so that each start makes another.

use std::{fmt, sync::Arc};

use lgpki_domain::{
    JstDate, Randomness, Timestamp,
    slots::{SlotClaim, SlotKeyId, SlotToken},
};
use lgpki_ledger::serial::base64url;
use lgpki_proto::Failure;
use lgpki_x509::key::sha256;
use ring::signature::{Ed25519KeyPair, KeyPair as _};
use tokio::sync::OnceCell;
use zeroize::Zeroizing;

use crate::ports::{LifecycleStore, Renewable};

/// Signs tokens.
#[derive(Debug)]
pub(crate) struct TokenSigner {
    randomness: Arc<dyn Randomness>,
    key: OnceCell<SlotKey>,
}

/// A key, recorded.
pub(crate) struct SlotKey {
    pair: Ed25519KeyPair,
    id: SlotKeyId,
}

impl fmt::Debug for SlotKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "SlotKey({:?})", self.id)
    }
}

impl TokenSigner {
    /// Without a key as yet.
    pub(crate) fn new(randomness: Arc<dyn Randomness>) -> Self {
        Self {
            randomness,
            key: OnceCell::new(),
        }
    }

    /// The key, once it is recorded.
    pub(crate) async fn key<S: LifecycleStore>(
        &self,
        store: &S,
        now: Timestamp,
    ) -> Result<&SlotKey, Failure> {
        let made = self.key.get_or_try_init(|| async {
            let (key, public) = self.draw()?;
            store.add_slot_key(public, now).await?;
            Ok::<_, Failure>(key)
        });
        made.await
    }

    fn draw(&self) -> Result<(SlotKey, [u8; 32]), Failure> {
        let mut seed = Zeroizing::new([0; 32]);
        let drawn = self.randomness.fill(seed.as_mut_slice());
        drawn.map_err(|e| Failure::internal(e.to_string()))?;
        let pair = Ed25519KeyPair::from_seed_unchecked(seed.as_slice());
        let pair = pair.map_err(|e| Failure::internal(e.to_string()))?;
        let public = <[u8; 32]>::try_from(pair.public_key().as_ref());
        let public = public.map_err(|_| Failure::internal("a public key has another length"))?;
        let id = SlotKeyId::of(sha256(&public));
        Ok((SlotKey { pair, id }, public))
    }
}

impl SlotKey {
    /// The token of a certificate's slot; none without a slot, or once its day is over.
    pub(crate) fn token(&self, of: &Renewable, today: JstDate) -> Option<String> {
        let day = of.slot.filter(|day| *day >= today)?;
        let claim = SlotClaim {
            serial: of.serial,
            branch: of.branch?,
            day,
            until: day.plus_days(1).start().plus_millis(-1),
        };
        let signature = self.pair.sign(&claim.message());
        let token = SlotToken {
            key: self.id,
            claim,
            signature: signature.as_ref().try_into().ok()?,
        };
        Some(base64url(&token.to_bytes()))
    }
}
