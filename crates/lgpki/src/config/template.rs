//! The configuration file as `init` writes it, with comments.

/// What `init` fills in.
#[derive(Debug)]
pub(crate) struct Template<'a> {
    /// The first of the ten ports.
    pub(crate) first_port: u16,
    /// The address that intake and publication listen on.
    pub(crate) public_host: &'a str,
    /// Where relying parties fetch CRLs and CA certificates.
    pub(crate) publication_url: &'a str,
    /// The name that the services' certificates carry.
    pub(crate) server_name: &'a str,
    /// What the names of all logs begin with.
    pub(crate) log_origin: &'a str,
    /// The lines of `[intake.examination]`.
    pub(crate) examination: &'a str,
}

/// How the operator examines, unless something else is wanted.
pub(crate) const EXAMINATION: &str = "\
official-duty = { mode = \"manual\", two_person = true }
user = { mode = \"automatic\" }
login = { mode = \"manual\" }
web-server = { mode = \"manual\" }
code-signing = { mode = \"manual\", two_person = true }
mail = { mode = \"automatic\" }";

/// `[intake.queue]` and `[intake.dispatch]`.
const QUEUES: &str = r#"# In which order what waits is examined and issued, and what the estimated times go by.
[intake.queue]
order = "fair"                  # or to compare with: "fifo", "fifo-passing", "earliest-expiry"
opens = "09:00"                 # the examiners' hours on business days; the office holidays are known
closes = "17:00"
closed_days = []                # further days without examiners, such as "2011-02-14"
examiners = 4
per_examiner = 60               # applications that one of them examines in a business day
signatures_per_second = 100     # until it is measured

[intake.dispatch]
batch = 256                     # orders in one batch to the issuer, 1 to 500
parallel = 2                    # batches under way at the same time
"#;

/// How the logs are published and witnessed, unless something else is wanted.
const PUBLISHING: &str = r#"publish_every_seconds = 1       # how often tiles and checkpoints are written to audit/ in each data directory
publication_limit_seconds = 300 # how long what is recorded may stay unpublished before certificates wait
heartbeat_minutes = 60          # how often each log tells what its service has counted, 1 to 1440, from midnight in Japan on

# Witnesses (C2SP tlog-witness) cosign each checkpoint before it is published, so that nobody who holds host and log key
# can rewrite a log unnoticed; an auditor runs one with `lgpki audit witness`, which prints its vkey. With none nothing is asked.
[audit.witness]
witnesses = []                  # such as { url = "http://w1.audit-office.example:7450", vkey = "audit-office.example/w1+…+…" }
required = 0                    # how many of them must have cosigned
lag_limit_seconds = 600         # how long they may lag before somebody must look
# stop_issuing_after_seconds = 86400    # how long before certificates wait; left out, never. Revocations and CRLs go on
# A witness that says that a log was set back or forked raises an alarm. Certificates wait as well if it shows a checkpoint that
# the log's own key signed and the log lacks: that is proof. Without it, they go on unless this is true and so many say so that the
# others are fewer than required: no signature covers a refusal, so that whoever stands on the way to a witness could make one up.
stop_issuing_when_disputed = false"#;

/// The file's text.
pub(crate) fn render(t: &Template<'_>) -> String {
    let port = |n: u16| t.first_port + n;
    let (host, name, url) = (t.public_host, t.server_name, t.publication_url);
    let (examination, log_origin) = (t.examination, t.log_origin);
    let (intake, issuer, lifecycle) = (port(0), port(1), port(2));
    let (intake_admin, issuer_admin, lifecycle_admin, publication) =
        (port(3), port(4), port(5), port(6));
    let (intake_audit, issuer_audit, lifecycle_audit) = (port(7), port(8), port(9));
    format!(
        r#"# Configuration of the LGPKI certificate authority, written by `lgpki init`.
# A relative path is relative to this file. Unknown keys are refused.
# Check a change with:  lgpki serve --config lgpki.toml --check

[telemetry]
level = "info"                  # error, warn, info, debug, trace, off; or per part: "info,lgpki_intake=debug"
format = "text"                 # "text" for people, "json" for machines

[tls]
# The service CA signs the three services' TLS identities and nothing else. This file, and organization_ca below, are
# read again within ten seconds of a change.
service_ca = "tls/service-ca.pem"
passphrase_file = "secrets/tls-passphrase"    # of the services' TLS keys and log keys

[audit]
# Every log's name is this, the service and the year (or keys), such as {log_origin}/issuer/keys.
# It is part of every signed head: it can never be changed.
log_origin = "{log_origin}"
{PUBLISHING}

# ---- issuer: the only holder of the CA keys -------------------------------------------------------
[issuer]
listen = "127.0.0.1:{issuer}"
admin = "127.0.0.1:{issuer_admin}"      # /metrics, /livez, /readyz
# Its published logs over HTTP, for auditors, witnesses and caches: /logs, /<log>/checkpoint, /<log>/tile/…; they hold
# all applications and certificates. Without it they are served over gRPC alone.
audit = "127.0.0.1:{issuer_audit}"
# What that port allows, as publication_limits of lifecycle does; every service may have its own:
# audit_limits = {{ connections = 128, per_address = 64, stall_seconds = 30, proxies = [] }}
data = "data/issuer"
certificate = "tls/issuer.pem"
key = "tls/issuer.key.pem"
log_key = "tls/issuer.log-key.pem"
# passphrase_file = "secrets/ca-passphrase"   # of the CA keys; better given with --passphrase-file or --passphrase-fd
node = "issuer-1"               # stands in every log entry
# Where relying parties fetch CRLs and CA certificates ({url}) is fixed in the CA's
# record and in every certificate; it cannot be changed here.

# ---- lifecycle: inventory, revocation, publication ------------------------------------------------
[lifecycle]
listen = "127.0.0.1:{lifecycle}"
admin = "127.0.0.1:{lifecycle_admin}"
audit = "127.0.0.1:{lifecycle_audit}"
publication = "{host}:{publication}"    # HTTP: /crl/…, /ca/…, /ocsp/…, /cps (data/lifecycle/publication/cps.txt)
data = "data/lifecycle"
certificate = "tls/lifecycle.pem"
key = "tls/lifecycle.key.pem"
log_key = "tls/lifecycle.log-key.pem"
node = "lifecycle-1"
crl_daily_at = "09:15"          # JST
crl_validity_hours = 48
crl_delta_hours = 4             # between delta CRLs, of CAs that publish them: 1, 2, 3, 4, 6, 8, 12 or 24
# Of the signatures half are kept for answers that are given again; those with a nonce share the other half with
# those about serial numbers that were never issued, which have at most a quarter.
ocsp = {{ validity_hours = 8, cache_minutes = 60, signatures_per_second = 2000, kept_answers = 20000 }}
# Of the HTTP port: connections of all, and of one address (0: no limit). Behind a reverse proxy name its IP address in
# proxies, and have it set X-Forwarded-For: then requests under way are counted for whom it asks, not for the proxy.
publication_limits = {{ connections = 1024, per_address = 64, stall_seconds = 30, proxies = [] }}
issuer = {{ address = "127.0.0.1:{issuer}", server_name = "{name}" }}

# Renewal slots: the business days on which renewals are advised, booked against what can be examined: less than
# examiners times per_examiner of [intake.queue] (4 times 60), so that a sixth is left for what comes without a slot.
[lifecycle.slots]
per_business_day = 200          # applications that the operator can examine in a business day; 0 books no slots
ignoring_percent = 10           # of a hundred certificates, those whose holders are expected not to heed the advice
unadvised_per_business_day = 0  # applications expected each business day without a slot, such as new ones
margin_days = 5                 # business days kept free at the end of a window
trip = 25                       # certificates of one branch on one day at most
lead_days = 30                  # before a month begins its windows are booked
opens = "09:00"                 # JST
closes = "17:00"
closed_days = []                # besides week-ends, national holidays and the year's end, such as "2010-08-13"

# ---- intake: what front ends, operators and auditors reach ----------------------------------------
[intake]
listen = "{host}:{intake}"
admin = "127.0.0.1:{intake_admin}"
audit = "127.0.0.1:{intake_audit}"
data = "data/intake"
certificate = "tls/intake.pem"
key = "tls/intake.key.pem"
log_key = "tls/intake.log-key.pem"
node = "intake-1"
organization_ca = "ca/organization.pem"       # whose login certificates log in
issuer = {{ address = "127.0.0.1:{issuer}", server_name = "{name}" }}
lifecycle = {{ address = "127.0.0.1:{lifecycle}", server_name = "{name}" }}
administrative_domains = []     # domains for services to the public, under which no mail certificate is issued
addressees = {{ most_per_body = 500, most_days_ahead = 366 }}   # of the document exchange, each body's
presume_delivery_days = 30      # after which a certificate never confirmed counts as delivered

# How the operator examines each kind: mode = "manual", "automatic" or
# "automatic-for-unchanged-renewals"; two_person = true takes two operators' approval.
[intake.examination]
{examination}

{QUEUES}"#
    )
}
