"""A billing system to try `t2b usage export --as orb` with. It bills each idempotency key once."""

import json
import sys
from collections import Counter
from decimal import Decimal
from http.server import BaseHTTPRequestHandler, HTTPServer

seen = set()
bill = Counter()


class Receiver(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"

    def do_POST(self):
        text = self.rfile.read(int(self.headers["Content-Length"]))
        for event in json.loads(text, parse_float=Decimal)["events"]:
            if event["idempotency_key"] not in seen:
                seen.add(event["idempotency_key"])
                bill[event["external_customer_id"], event["event_name"]] += event["properties"]["value"]
        for (customer, name), amount in sorted(bill.items()):
            print(customer, name, amount, flush=True)
        answer = json.dumps({"validation_failed": []}).encode()
        self.send_response(200)
        self.send_header("Content-Length", str(len(answer)))
        self.end_headers()
        self.wfile.write(answer)

    def log_message(self, *_):
        pass


server = HTTPServer(("127.0.0.1", int(sys.argv[1])), Receiver)
print(f"listening: http://127.0.0.1:{server.server_port}/v1/ingest", flush=True)
server.serve_forever()
