#!/usr/bin/env python3
"""Serve a folder as the hub, the CDN, the artifact store and the web, for C tests and shells.

    serve.py ROOT [--scenario FILE.json] [--tls FOLDER] [--fault NAME --moment NAME [--times N] [--name FILE]] [--log FILE]

Prints `export` lines for the environment of saescope, an empty line, and serves until its standard input ends. Every request
goes to the log as a line of JSON.
"""
import argparse
import json
import sys
import time

from faults import FAULTS, MOMENTS
from world import World, make_certificate


class LogFile(list):
    def __init__(self, path):
        self.path = path

    def append(self, request):
        super().append(request)
        if self.path:
            with open(self.path, "a") as file:
                file.write(json.dumps(request.as_json()) + "\n")


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("root")
    parser.add_argument("--scenario")
    parser.add_argument("--tls", metavar="FOLDER", help="speak https with a certificate made in this folder")
    parser.add_argument("--fault", choices=list(FAULTS))
    parser.add_argument("--moment", choices=MOMENTS, default="first-byte")
    parser.add_argument("--times", type=int, help="how often; for ever without")
    parser.add_argument("--of", choices=list(World.BODY), default="hub", help="whose files the fault is about")
    parser.add_argument("--name", help="only answers that carry this file")
    parser.add_argument("--log")
    options = parser.parse_args()
    scenario = json.load(open(options.scenario)) if options.scenario else {}
    certificate = make_certificate(options.tls) if options.tls else None
    world = World(options.root, scenario, certificate, options.of)
    world.log = LogFile(options.log)
    with world:
        if options.fault:
            world.play(options.fault, options.moment, options.times, options.name)
        for name, value in world.environment().items():
            print(f"export {name}={value}")
        for name, origin in world.origins.items():
            print(f"export SERVER_{name.upper()}={origin.url}")
        if certificate:
            print(f"export SSL_CERT_FILE={certificate}.crt")
        print(flush=True)
        while sys.stdin.readline():
            time.sleep(0.01)


if __name__ == "__main__":
    main()
