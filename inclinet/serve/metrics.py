"""What the server counts, in the text format of Prometheus."""

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, generate_latest

__all__ = ["Metrics"]

_SECONDS = (0.05, 0.1, 0.2, 0.3, 0.5, 1, 2, 5, 10, 30, 60)


class Metrics:
    """The counters of one server.

    Attributes
    ----------
    requests : Counter
        By `path` and `status`.
    seconds : Histogram
        Time of a request, its upload included, by `path`.
    images : Counter
        By `outcome`: `predicted` or `refused`.
    waiting, uploading : Gauge
        Requests that wait to be computed, or compute; bytes that requests under way upload.
    """

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        here = self.registry
        self.requests = Counter("inclinet_requests", "Requests by path and status", ["path", "status"], registry=here)
        self.seconds = Histogram(
            "inclinet_request_seconds", "Time of requests", ["path"], buckets=_SECONDS, registry=here
        )
        self.images = Counter("inclinet_images", "Images, predicted and refused", ["outcome"], registry=here)
        self.waiting = Gauge("inclinet_requests_waiting", "Requests that wait for their answer", registry=here)
        self.uploading = Gauge("inclinet_upload_bytes", "Bytes that requests under way upload", registry=here)

    def text(self) -> bytes:
        """Return all of them in the text format of Prometheus."""
        return generate_latest(self.registry)
