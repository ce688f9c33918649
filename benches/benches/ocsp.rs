//! OCSP answers per CPU-second of the services, pre-signed and live, over real sockets; beside them
//! the bare P-256 signature of the same run: `cargo bench -p lgpki-benches --bench ocsp`.
//!
//! Called with `init` or `serve` the executable is `lgpki`, as the package's binary is.

use std::{
    fs,
    io::{self, BufRead as _, BufReader, Read as _, Write as _},
    net::TcpStream,
    process::ExitCode,
    thread,
    time::Duration,
};

use base64::{Engine as _, prelude::BASE64_STANDARD};
use lgpki_benches::{Failure, cpu, installation::Installation};
use lgpki_domain::{Authority, KeyAlgorithm, Serial};
use lgpki_keys::{Signer as _, SoftwareKey};
use lgpki_x509::{
    Addresses, Certificate, Issuer,
    ocsp::{BasicResponse, HashAlgorithm, IssuerId, Status, write_request},
    pem,
};

/// Answers of each sort.
const ANSWERS: usize = 40_000;
/// Connections that ask at the same time.
const CONNECTIONS: usize = 8;
/// Bare signatures on each thread.
const BARE: usize = 20_000;
/// An answer's tbsResponseData with a nonce has about so many bytes.
const TBS: usize = 200;

fn main() -> ExitCode {
    let command = std::env::args().nth(1);
    if matches!(command.as_deref(), Some("init" | "serve")) {
        return lgpki::main();
    }
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            // Nothing is left to be done if standard error is closed.
            let _ = writeln!(io::stderr(), "ocsp: {failure}");
            ExitCode::FAILURE
        }
    }
}

/// What is asked, and where.
#[derive(Clone)]
struct Question {
    address: String,
    issuer: Issuer,
    id: IssuerId,
    serial: Serial,
}

fn measure() -> Result<(), Failure> {
    let installation = Installation::new("rsa-2048")?;
    let configuration = installation.ca().join("lgpki.toml");
    let text = fs::read_to_string(&configuration)?;
    let (limited, free) = (
        "signatures_per_second = 2000",
        "signatures_per_second = 1000000",
    );
    if !text.contains(limited) {
        return Err(format!("the configuration does not say {limited}").into());
    }
    fs::write(&configuration, text.replace(limited, free))?;
    let services = installation.serve()?;
    let question = question(&installation, &text)?;
    wait(&question)?;

    let before = bare()?;
    let kept = drive(services.id(), &question, false)?;
    let live = drive(services.id(), &question, true)?;
    let sign = (before + bare()?) / 2;
    services.stop()?;
    let mut out = io::stdout().lock();
    let mut print = |what: &str, each: Duration| {
        let rate = 1.0 / each.as_secs_f64();
        let us = each.as_secs_f64() * 1e6;
        let share = sign.as_secs_f64() / each.as_secs_f64();
        writeln!(
            out,
            "{what:<34} {us:>8.1} us  {rate:>8.0}/CPU-s  {share:>5.2} of the bare rate"
        )
    };
    print("bare P-256 signature", sign)?;
    print("answer, pre-signed (GET)", kept)?;
    print("answer, live with nonce (POST)", live)?;
    Ok(())
}

/// One certificate of the installation, and where its responder is.
fn question(installation: &Installation, configuration: &str) -> Result<Question, Failure> {
    let parsed: toml::Table = configuration.parse()?;
    let address = parsed
        .get("lifecycle")
        .and_then(|section| section.get("publication"))
        .and_then(toml::Value::as_str)
        .ok_or("the configuration has no publication address")?
        .to_owned();
    let read = |path: &str| -> Result<Vec<u8>, Failure> {
        let text = fs::read(installation.ca().join(path))?;
        let mut chain = pem::decode_all(pem::Label::Certificate, &text)?.into_iter();
        chain
            .next()
            .ok_or_else(|| format!("{path} is empty").into())
    };
    let ca = read("ca/organization.pem")?;
    let bases = ["http://localhost".to_owned()];
    let addresses = Addresses::at(&bases, Authority::Organization, 1);
    let issuer = Issuer::try_new(Authority::Organization, 1, &ca, addresses)?;
    let login = Certificate::parse(&read("offices/operator-1/login.pem")?)?;
    Ok(Question {
        address,
        id: IssuerId::of(&issuer),
        issuer,
        serial: login.serial().ok_or("the login has no serial number")?,
    })
}

/// Waits until the responder is certified and the certificate is known.
fn wait(question: &Question) -> Result<(), Failure> {
    for _ in 0..600 {
        let answer = ask(question, &mut connect(question)?, None)?;
        if let Ok(read) = BasicResponse::parse(&answer)
            && read
                .entries()
                .iter()
                .all(|entry| entry.status == Status::Good)
        {
            return Ok(());
        }
        thread::sleep(Duration::from_millis(50));
    }
    Err("no answer within half a minute".into())
}

/// CPU time of one bare signature, with as many threads as answer.
fn bare() -> Result<Duration, Failure> {
    let threads = thread::available_parallelism()?.get();
    let running: Vec<_> = (0..threads)
        .map(|_| {
            thread::spawn(move || -> Result<Duration, String> {
                let key = SoftwareKey::generate(KeyAlgorithm::P256).map_err(|e| e.to_string())?;
                let message = [7; TBS];
                let before = cpu::of_this_thread();
                for _ in 0..BARE {
                    key.sign(&message).map_err(|e| e.to_string())?;
                }
                let spent = cpu::of_this_thread().saturating_sub(before);
                Ok(spent / u32::try_from(BARE).unwrap_or(1))
            })
        })
        .collect();
    let count = u32::try_from(running.len())?;
    let mut sum = Duration::ZERO;
    for thread in running {
        sum += thread.join().map_err(|_| "a thread ended badly")??;
    }
    Ok(sum / count)
}

/// CPU time of the services for one answer.
fn drive(services: u32, question: &Question, with_nonce: bool) -> Result<Duration, Failure> {
    let each = ANSWERS / CONNECTIONS;
    let before = cpu::of_process(services)?;
    let asking: Vec<_> = (0..CONNECTIONS)
        .map(|connection| {
            let question = question.clone();
            thread::spawn(move || {
                let answered = (|| -> Result<(), Failure> {
                    let mut stream = connect(&question)?;
                    for n in 0..each {
                        let mut nonce = [0; 16];
                        nonce[..8].copy_from_slice(&connection.to_be_bytes());
                        nonce[8..].copy_from_slice(&n.to_be_bytes());
                        let nonce = with_nonce.then_some(&nonce[..]);
                        let answer = ask(&question, &mut stream, nonce)?;
                        // A few are believed only after a look; the others are of the same form.
                        if n % 1_000 == 0 {
                            check(&question, &answer, nonce)?;
                        }
                    }
                    Ok(())
                })();
                answered.map_err(|e| e.to_string())
            })
        })
        .collect();
    for thread in asking {
        thread.join().map_err(|_| "a thread ended badly")??;
    }
    let spent = cpu::of_process(services)?.since(before).total();
    Ok(spent / u32::try_from(each * CONNECTIONS)?)
}

fn check(question: &Question, answer: &[u8], nonce: Option<&[u8]>) -> Result<(), Failure> {
    let read = BasicResponse::parse(answer)?;
    let good = read
        .entries()
        .iter()
        .all(|entry| entry.status == Status::Good);
    if good && read.is_from(&question.issuer) && read.nonce() == nonce {
        return Ok(());
    }
    Err("an answer is not what was asked for".into())
}

fn connect(question: &Question) -> Result<BufReader<TcpStream>, Failure> {
    let stream = TcpStream::connect(&question.address)?;
    stream.set_nodelay(true)?;
    Ok(BufReader::new(stream))
}

/// Asks once over a connection that stays open: with a nonce by POST, without by GET.
fn ask(
    question: &Question,
    stream: &mut BufReader<TcpStream>,
    nonce: Option<&[u8]>,
) -> Result<Vec<u8>, Failure> {
    let request = write_request(&question.id, HashAlgorithm::Sha1, &[question.serial], nonce);
    let sent = if nonce.is_some() {
        let mut sent = format!(
            "POST /ocsp/organization-1 HTTP/1.1\r\nHost: localhost\r\n\
             Content-Type: application/ocsp-request\r\nContent-Length: {}\r\n\r\n",
            request.len()
        )
        .into_bytes();
        sent.extend_from_slice(&request);
        sent
    } else {
        let text = BASE64_STANDARD.encode(&request);
        let path = text
            .replace('+', "%2B")
            .replace('/', "%2F")
            .replace('=', "%3D");
        format!("GET /ocsp/organization-1/{path} HTTP/1.1\r\nHost: localhost\r\n\r\n").into_bytes()
    };
    stream.get_mut().write_all(&sent)?;
    let mut length = 0;
    loop {
        let mut line = String::new();
        stream.read_line(&mut line)?;
        if line.trim().is_empty() {
            break;
        }
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse()?;
        }
    }
    let mut body = vec![0; length];
    stream.read_exact(&mut body)?;
    Ok(body)
}
