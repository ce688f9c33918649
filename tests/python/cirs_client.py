#!/usr/bin/env python3
"""A small CIRS front end in Python, made from proto/ with grpcio.

It logs in with login data (a certificate and its key), submits one application with a CSR that
`openssl req` made, waits until the certificate is issued, downloads it, confirms the delivery and
writes it as PEM, and lists the addressees of the document exchange. Debian: python3-grpcio,
python3-grpc-tools, python3-protobuf.

    python3 -m grpc_tools.protoc -I proto --python_out=gen --grpc_python_out=gen proto/lgpki/v1/*.proto
    PYTHONPATH=gen cirs_client.py --server localhost:7440 --service-ca service-ca.pem \
        --certificate login.pem --key login.key --csr www.csr --host www.city.example.lg.jp \
        --branch 01001 --body-en '…' --body-ja '…' --out .
"""

import argparse
import datetime
import ssl
import sys
import time

import grpc

from lgpki.v1 import addressee_pb2 as addressees
from lgpki.v1 import addressee_pb2_grpc as registry
from lgpki.v1 import application_pb2 as app
from lgpki.v1 import application_pb2_grpc as rpc
from lgpki.v1 import common_pb2 as common

JST = datetime.timezone(datetime.timedelta(hours=9))
WAITING = {
    app.APPLICATION_STATE_RECEIVED,
    app.APPLICATION_STATE_EXAMINING,
    app.APPLICATION_STATE_APPROVED,
    app.APPLICATION_STATE_QUEUED,
    app.APPLICATION_STATE_ISSUING,
}


def read(path):
    with open(path, "rb") as file:
        return file.read()


def log_in(args):
    credentials = grpc.ssl_channel_credentials(
        root_certificates=read(args.service_ca),
        private_key=read(args.key),
        certificate_chain=read(args.certificate),
    )
    return grpc.secure_channel(args.server, credentials)


def patiently(call, request):
    """Calls; while the answer is UNAVAILABLE, the same request is safe to send again."""
    for _ in range(300):
        try:
            return call(request, timeout=30)
        except grpc.RpcError as error:
            if error.code() != grpc.StatusCode.UNAVAILABLE:
                raise
            time.sleep(0.2)
    raise SystemExit("the service stays away")


def application(args):
    return app.SubmitApplicationRequest(
        request_id=args.request_id,
        branch=args.branch,
        examination=app.BranchExamination(
            office="総務課長",
            approved=True,
            decided_on=datetime.datetime.now(JST).date().isoformat(),
        ),
        issue=app.IssueContent(
            kind=common.CERTIFICATE_KIND_WEB_SERVER,
            subject=common.Subject(
                body=common.Names(en=args.body_en, ja=args.body_ja),
                name=common.Names(en=args.host, ja="公式サイト"),
            ),
            csr=read(args.csr),
            medium=common.KEY_MEDIUM_SERVER,
            dns_names=[args.host],
        ),
    )


def wait_until_issued(service, application_id, seconds):
    request = app.WatchApplicationsRequest(ids=[application_id])
    for change in service.WatchApplications(request, timeout=seconds):
        state = change.application.state
        print("state:", app.ApplicationState.Name(state))
        if state not in WAITING:
            return change.application
    raise SystemExit("the server ended the stream")


def to_pem(der):
    return ssl.DER_cert_to_PEM_cert(der)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    for name in (
        "server service-ca certificate key csr host branch body-en body-ja out request-id".split()
    ):
        parser.add_argument("--" + name, required=True)
    args = parser.parse_args()

    with log_in(args) as channel:
        service = rpc.ApplicationServiceStub(channel)
        answer = patiently(service.SubmitApplication, application(args))
        print("application:", answer.application.id)
        again = patiently(service.SubmitApplication, application(args))
        if not again.repeated or again.application.id != answer.application.id:
            raise SystemExit("the same request became another application")

        done = wait_until_issued(service, answer.application.id, seconds=60)
        if done.state != app.APPLICATION_STATE_ISSUED:
            raise SystemExit("not issued: " + done.reason)

        request = app.DownloadCertificateRequest(id=done.id)
        certificate = patiently(service.DownloadCertificate, request)
        with open(args.out + "/certificate.pem", "w", encoding="ascii") as file:
            file.write(to_pem(certificate.certificate))
        with open(args.out + "/ca.pem", "w", encoding="ascii") as file:
            file.write(to_pem(certificate.ca_certificate))
        request = app.ConfirmDeliveryRequest(ids=[done.id])
        confirmed = patiently(service.ConfirmDelivery, request)
        if list(confirmed.delivered) != [done.id]:
            raise SystemExit("delivery was not confirmed")
        print("serial:", certificate.serial)

        # Whom documents may be sent to: the addressees that other bodies registered.
        request = addressees.ListAddresseesRequest(page_size=1000)
        page = patiently(registry.AddresseeServiceStub(channel).ListAddressees, request)
        for entry in page.addressees:
            print("addressee:", entry.id, entry.content.names.ja, entry.content.document_address)
    return 0


if __name__ == "__main__":
    sys.exit(main())
