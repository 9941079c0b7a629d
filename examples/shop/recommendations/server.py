"""Recommendations, over gRPC: given some products, others that go with them.

The code in gen/ is made from ../proto/shop.proto by the setup step in ../nagaya.yaml.
"""

import http.client
import json
import logging
import os
import signal
import sys
import time
import urllib.request
from concurrent.futures import ThreadPoolExecutor

import grpc
from grpc_health.v1 import health, health_pb2, health_pb2_grpc

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), "gen"))
import shop_pb2  # noqa: E402
import shop_pb2_grpc  # noqa: E402

CATALOGUE_URL = os.environ["CATALOGUE_URL"]

logging.basicConfig(stream=sys.stdout, level=logging.INFO, format="%(asctime)s %(levelname)s %(message)s")
log = logging.getLogger("recommendations")


def fetch_products():
    with urllib.request.urlopen(f"{CATALOGUE_URL}/products", timeout=1.5) as response:
        return json.load(response)


def recommend(products, wanted, limit):
    """The other products; those of the same categories first, the cheapest of them first."""
    categories = {p["category"] for p in products if p["id"] in wanted}
    others = [p for p in products if p["id"] not in wanted]
    others.sort(key=lambda p: (p["category"] not in categories, p["price_cents"]))
    return [p["id"] for p in others[:limit]]


class Recommendations(shop_pb2_grpc.RecommendationsServicer):
    def Recommend(self, request, context):
        started = time.monotonic()
        try:
            products = fetch_products()
        except (OSError, ValueError, http.client.HTTPException) as error:
            log.error("Recommend UNAVAILABLE: catalogue: %s", error)
            context.abort(grpc.StatusCode.UNAVAILABLE, f"catalogue is not available: {error}")
        ids = recommend(products, set(request.product_ids), request.limit or 3)
        ms = 1000 * (time.monotonic() - started)
        log.info("Recommend OK %d for %s %.0fms", len(ids), list(request.product_ids), ms)
        return shop_pb2.RecommendReply(product_ids=ids)


def main():
    server = grpc.server(ThreadPoolExecutor(max_workers=8))
    shop_pb2_grpc.add_RecommendationsServicer_to_server(Recommendations(), server)
    healthy = health.HealthServicer()
    healthy.set("", health_pb2.HealthCheckResponse.SERVING)
    healthy.set("shop.Recommendations", health_pb2.HealthCheckResponse.SERVING)
    health_pb2_grpc.add_HealthServicer_to_server(healthy, server)
    server.add_insecure_port("0.0.0.0:50051")
    server.start()
    log.info("listening on port 50051")

    def stop(*_):
        server.stop(grace=0.5)

    signal.signal(signal.SIGTERM, stop)
    server.wait_for_termination()


main()
