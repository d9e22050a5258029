"""A server of our own, and the published client wrapped so that its calls are counted."""

import inspect
import pathlib
import signal
import subprocess
import tempfile

import torc.openapi_client as client
from torc.openapi_client.exceptions import ApiException

USER = "ada"


def operations():
    """Every operation that the client has, by name."""
    found = set()
    for name, kind in vars(client).items():
        if name.endswith("Api") and inspect.isclass(kind):
            found |= {
                method
                for method, _ in inspect.getmembers(kind, inspect.isfunction)
                if not method.startswith("_")
                and not method.endswith(("_with_http_info", "_without_preload_content"))
            }
    return found


class Api:
    """All operations of the client in one object. Remembers which succeeded."""

    called = set()

    def __init__(self, url, authorization=None):
        self.url = url
        configuration = client.Configuration(host=url)
        self.raw = client.ApiClient(configuration)
        if authorization:
            self.raw.set_default_header("Authorization", authorization)
        self._parts = [
            kind(self.raw)
            for name, kind in vars(client).items()
            if name.endswith("Api") and inspect.isclass(kind)
        ]

    def __getattr__(self, name):
        operation = next(getattr(part, name) for part in self._parts if hasattr(part, name))

        def call(*args, **kwargs):
            answer = operation(*args, _request_timeout=30, **kwargs)
            self.called.add(name)
            return answer

        return call


class Server:
    """A server process on a free port with a database of its own; a context manager."""

    def __init__(self, binary, *flags):
        self._binary = binary
        self._flags = flags

    def __enter__(self):
        self._directory = tempfile.TemporaryDirectory()
        self.directory = pathlib.Path(self._directory.name)
        self._log = open(self.directory / "server.log", "w")
        self._process = subprocess.Popen(
            [self._binary, "run", "--host", "127.0.0.1", "--port", "0",
             "--database", self.directory / "torc.db", *self._flags],
            cwd=self.directory, stdout=subprocess.PIPE, stderr=self._log, text=True,
        )
        line = self._process.stdout.readline()
        if not line.startswith("TORC_SERVER_PORT="):
            raise RuntimeError(f"the server did not start: {self.log()}")
        port = line.strip().split("=")[1]
        self.url = f"http://127.0.0.1:{port}/torc-service/v1"
        return self

    def log(self):
        return (self.directory / "server.log").read_text()

    def __exit__(self, *_):
        self._process.send_signal(signal.SIGTERM)
        code = self._process.wait(timeout=30)
        self._process.stdout.close()
        self._log.close()
        self._directory.cleanup()
        assert code == 0, f"the server ended with {code}"


def refused(status, operation, *args, **kwargs):
    """The operation must be refused with this status; answers the body's text."""
    try:
        operation(*args, **kwargs)
    except ApiException as error:
        assert error.status == status, f"expected {status}, got {error}"
        return error.body
    raise AssertionError(f"expected a refusal with {status}")


def pages(list_page, expected, limit=2):
    """Reads a list page by page; its ids must be the expected ones, in order."""
    ids, offset, more = [], 0, True
    while more:
        page = list_page(offset=offset, limit=limit)
        assert len(page.items) <= limit and page.total_count == len(expected), page
        ids += [item.id for item in page.items]
        offset += len(page.items)
        more = page.has_more
        assert page.items or not more, "an empty page that has more"
    assert ids == expected, f"{ids} instead of {expected}"


def workflow(api, **fields):
    """A new workflow's id."""
    return api.create_workflow(client.WorkflowModel(name="story", user=USER, **fields)).id


def compute_node(api, flow, **fields):
    """A new compute node's id."""
    node = dict(
        workflow_id=flow, hostname="node1", pid=1, start_time="2026-01-01T00:00:00Z", num_cpus=4,
        memory_gb=8.0, num_gpus=0, num_nodes=1, compute_node_type="local", is_active=True,
    )
    return api.create_compute_node(client.ComputeNodeModel(**(node | fields))).id


def result(flow, job, node, status="completed", return_code=0, run_id=0, **fields):
    """What a worker reports of a job."""
    return client.ResultModel(
        workflow_id=flow, job_id=job, run_id=run_id, attempt_id=fields.pop("attempt_id", 1),
        compute_node_id=node, return_code=return_code, exec_time_minutes=0.5,
        completion_time="2026-01-01T00:10:00.000Z", status=client.JobStatus(status), **fields,
    )
