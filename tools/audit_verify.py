#!/usr/bin/env python3
"""A second verifier of published audit logs, small enough to be read whole before it is relied upon.
DIR holds <service>/<log>/ for each of the three services and each of its logs: one for every year, such as 2026, and
`keys`; what else lies there is not looked at. FILE holds the logs' verifier keys, one a line, which you got in another
way than the logs; without it the keys beside the logs (`vkey`) are believed, and it is said so. Exit status: 0 accepted;
1 refused, each line naming a fault. What is checked stands at the head of each function. Not checked: what CRLs list,
times, witnesses, whether a key signed another log; `lgpki audit verify` checks more. Needs python3-cryptography.
"""
import argparse, base64, contextlib, hashlib, json, os, re, sys
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.x509 import load_der_x509_certificate

WIDTH, MOST, FAULTS = 256, 1 << 25, []

def need(holds, where, fault):
    return holds or FAULTS.append(f"{where}: {fault}")
def must(holds, fault):
    if not holds: raise ValueError(fault)
def sha256(*parts):
    return hashlib.sha256(b"".join(parts)).digest()
def b64(text):
    return base64.b64decode(text, validate=True)
def b64url(text):
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))

def note(text, known):
    """The checkpoint is a C2SP signed note that bears a signature of its log's key. That may be known under the name of
    the log or under that of the service, one key signing all of a service's logs. Its origin, size and root."""
    body, signatures = re.fullmatch(r"(.*\n)\n((?:[^\n]+\n)+)", text, re.DOTALL).groups()
    origin, size, root, end = body.split("\n")
    key = b64(known.get(origin) or known[origin.rpartition("/")[0]])
    must(key[:1] == b"\x01", "no verifier key")
    ours = [b64(line.split(" ")[2]) for line in signatures.splitlines() if line.startswith(f"\u2014 {origin} ")]
    ours = [blob[4:] for blob in ours if blob[:4] == sha256(origin.encode(), b"\n", key)[:4]]
    must(ours, f"no signature of {origin}")
    for signature in ours:
        ed25519.Ed25519PublicKey.from_public_bytes(key[1:]).verify(signature, body.encode())
    must(str(int(size)) == size and end == "", "no checkpoint")
    return origin, int(size), b64(root)

def merkle_root(hashes):
    """RFC 6962 section 2.1, from the hashes of the leaves."""
    if len(hashes) < 2: return hashes[0] if hashes else sha256()
    middle = 1 << (len(hashes) - 1).bit_length() - 1
    return sha256(b"\x01", merkle_root(hashes[:middle]), merkle_root(hashes[middle:]))

def tile(directory, level, index, width):
    """A tile's bytes, and whether it is the full one in place of a partial one, the only one that may hold more."""
    name = f"{index % 1000:03}"
    while index := index // 1000: name = f"x{index % 1000:03}/{name}"
    path = os.path.join(directory, "tile", str(level), name)
    partial = os.path.exists(f"{path}.p/{width}")
    with open(f"{path}.p/{width}" if partial else path, "rb") as file:
        return file.read(MOST), not partial and width < WIDTH

def read_log(directory, where, size, root):
    """The entries have the checkpoint's root, and each tile is what they say (C2SP tlog-tiles)."""
    entries, level = [], 0
    for index in range(-(-size // WIDTH)):
        width, at = min(WIDTH, size - index * WIDTH), 0
        data, wider = tile(directory, "entries", index, width)
        for _ in range(width):
            begin, at = at + 2, at + 2 + int.from_bytes(data[at : at + 2], "big")
            must(at <= len(data), f"bundle {index} does not hold {width} entries")
            entries.append(data[begin:at])
        must(at == len(data) or wider, f"bundle {index} holds more than {width} entries")
    hashes = [sha256(b"\x00", entry) for entry in entries]
    need(merkle_root(hashes) == root, where, "the entries do not have the root of the checkpoint")
    while hashes:
        rows = [hashes[start : start + WIDTH] for start in range(0, len(hashes), WIDTH)]
        for index, row in enumerate(rows):
            data, wider = tile(directory, level, index, len(row))
            same = data[: 32 * len(row) if wider else None] == b"".join(row)
            need(same, where, f"tile/{level} {index} is not what the entries say")
        hashes, level = [merkle_root(row) for row in rows if len(row) == WIDTH], level + 1
    return entries

def canonical(data, where):
    """An entry is JSON in the one spelling of RFC 8785, of integers only and without nulls."""
    def check(value):
        must(type(value) in (str, bool, dict, list) or type(value) is int and abs(value) < 1 << 53, f"{value!r} is there")
        for inner in value.values() if type(value) is dict else value if type(value) is list else ():
            check(inner)
    try:
        check(entry := json.loads(data))
        again = json.dumps(entry, ensure_ascii=False, sort_keys=True, separators=(",", ":"))
        must(again.encode() == data, "the JSON is not canonical")
        members = {"actor", "body", "kind", "node", "time", "v"}
        must(members <= entry.keys() <= members | {"about", "answers"}, "a member is missing or unknown")
        return entry
    except (AttributeError, RuntimeError, ValueError) as fault:
        return need(False, where, fault) or {"kind": "unreadable", "body": {}}

def chain(service, logs):
    """Each log begins with `log.opened`; a year goes on where the one before ends, and names its final checkpoint;
    each entry of `keys` stands in a year's log. All entries of the service by their index."""
    entries, leaves_of_years, before = [], set(), ""
    for name in sorted(logs, key=lambda name: (name == "keys", name)):
        (text, leaves), where = logs[name], f"{service}/{name}"
        opened, *rest = [canonical(data, f"{where} leaf {leaf}") for leaf, data in enumerate(leaves)]
        body = opened["body"]
        need((opened["kind"], body.get("log")) == ("log.opened", text.split("\n")[0]), where, "it does not open itself")
        if name == "keys":
            strange = [leaf for leaf, data in enumerate(leaves[1:], 1) if sha256(data) not in leaves_of_years]
            need(not strange, where, f"leaves {strange[:9]} stand in no year's log")
        else:
            follows = body.get("first") == len(entries) and body.get("previous", "").split("\n\n")[0] == before
            need(follows, where, "it does not go on where the log of the year before ends")
            before = text.split("\n\n")[0]
            leaves_of_years.update(map(sha256, leaves[1:]))
            entries += rest
    return entries

def signed(certificate, public):
    digest = certificate.signature_hash_algorithm
    how = (padding.PKCS1v15(), digest) if isinstance(public, rsa.RSAPublicKey) else (ec.ECDSA(digest),)
    with contextlib.suppress(InvalidSignature):
        return public.verify(certificate.signature, certificate.tbs_certificate_bytes, *how) is None

def issuer(entries):
    """Each certificate, CA and CRL has one earlier intent of the same content, and no intent ends twice; no serial
    number is used twice, CRL numbers of a series never fall; a CA key that the log tells of signed. Certificates."""
    intents, ended, serials, numbers, keys, issued = {}, {}, {}, {}, {}, {}
    for index, entry in enumerate(entries):
        (what, _, step), body, where = entry["kind"].partition("."), entry["body"], f"issuer entry {index}"
        key, series = (body.get("authority"), body.get("generation", 1)), (body.get("scope"), "base" in body)
        if step == "intent":
            intents[index] = (what, body)
            if what == "crl":
                need(body["number"] > numbers.get((key, series), 0), where, "its CRL number is not above the one before")
                numbers[key, series] = body["number"]
            else:
                need(serials.setdefault(body["serial"], index) == index, where, "its serial number was used before")
        elif what in ("certificate", "authority", "crl"):
            kind, intent = intents.get(at := body.get("intent", serials.get(body.get("serial"))), (None, {}))
            if not need(kind == what, where, "there is no intent before it"): continue
            need(ended.setdefault(at, index) == index, where, f"its intent {at} has ended before")
            same = ("application", "attempt", "key_digest", "number", "serial", "tbs_digest")
            need(all(body.get(n, intent.get(n)) == intent.get(n) for n in same), where, "it differs from its intent")
            if "certificate" in body:
                made, issued[index] = load_der_x509_certificate(b64url(body["certificate"])), body["certificate"]
                need(made.tbs_certificate_bytes == b64url(intent["tbs"]), where, "it is not what was intended")
                if what == "authority": keys[key] = made.public_key()
                need(key in keys and signed(made, keys[key]), where, "it does not bear its CA's signature")
    return issued

def others(services, issued):
    """A certificate of intake or lifecycle is the issuer's, its application approved before; heartbeats count."""
    steps = {}
    for service, entries in services.items():
        counts = {}
        for index, entry in enumerate(entries):
            kind, body, where = entry["kind"], entry["body"], f"{service} entry {index}"
            if kind in ("application.received", "application.approved"):
                steps.setdefault(body["application"], set()).add(kind)
            elif kind == "application.issued":
                need(len(steps.get(body["application"], ())) == 2, where, "it was not received and approved before")
            asked = entry.get("answers", {}).get("index", -1)
            if kind in ("application.issued", "certificate.registered") and asked < len(services["issuer"]):
                certificate = body.get("certificate", body.get("der"))
                need(certificate and issued.get(asked) == certificate, where, "the issuer's log has another certificate")
            if kind == "log.heartbeat":
                told = body["entries"], {one["of"]: one["count"] for one in body["kinds"]}
                need(told == (index, counts), where, "it does not count the entries before it")
            counts[kind] = counts.get(kind, 0) + 1

def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--keys", metavar="FILE", type=argparse.FileType(), help="verifier keys, one a line")
    parser.add_argument("directory", metavar="DIR")
    options, services, bases = parser.parse_args(), {}, set()
    given = options.keys and options.keys.read()
    try:
        for service in ("issuer", "intake", "lifecycle"):
            logs, of = {}, os.path.join(options.directory, service)
            for name in sorted(filter(re.compile("keys|[0-9]{4}").fullmatch, os.listdir(of))):
                directory, where = os.path.join(of, name), f"{service}/{name}"
                try:
                    text, vkey = (open(f"{directory}/{file}", newline="").read(MOST) for file in ("checkpoint", "vkey"))
                    known = dict(line.split("+", 2)[::2] for line in (vkey if given is None else given).split())
                    origin, size, root = note(text, known)
                    must(origin.endswith(f"/{where}"), f"it is of the log {origin}")
                    bases.add(origin.removesuffix(where))
                    logs[name] = (text, read_log(directory, where, size, root))
                    print(f"{where}: {size} entries")
                except Exception as fault:
                    need(False, where, f"it is not accepted: {fault!r}")
            need("keys" in logs and len(logs) > 1, service, "there is no log of keys, or none of any year")
            services[service] = chain(service, logs)
        need(len(bases) < 2, options.directory, f"the logs are of several installations: {sorted(bases)}")
        others(services, issuer(services["issuer"]))
    except Exception as fault:
        need(False, options.directory, f"a service is missing, or what it wrote has not its form: {fault!r}")
    advice = () if options.keys else ("the keys beside the logs were believed: get them in another way and use --keys",)
    print(*advice, f"{sum(map(len, services.values()))} entries, {len(FAULTS)} faults", *FAULTS, sep="\n")
    sys.exit(1 if FAULTS else 0)

main()
