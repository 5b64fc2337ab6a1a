"""Flow `evaluate`, deployment `test-set`: predicts a test set with a published version."""

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.runtime import flow_run
from prefect.states import Completed, Failed

from flows.fence import fenced
from flows.naming import keep_typed
from flows.same_code import Code, check_same_code
from flows.settings import in_form
from inclinet.storage.artifacts import DamagedArtifactError, Reference
from tasks.champion import predict_test_task
from tasks.common import DAMAGED

__all__ = ["evaluate"]


def _run_name() -> str:
    return f"evaluate-{flow_run.parameters['version']}"


@flow(name="evaluate", flow_run_name=keep_typed(_run_name), persist_result=False)
def evaluate(
    version: Annotated[str, in_form("Version", "Published version.")],
    samples: Annotated[dict[str, Reference], in_form("Samples", "Split artifacts by stored band.")],
    code: Code = "",
) -> State:
    """Predict a test set with a published version, so that it can be compared with another one."""
    try:
        check_same_code(code, "tasks.champion")
        with fenced():
            done = predict_test_task(version, samples, return_state=True)
            done.result()
    except DamagedArtifactError as error:
        return Failed(name=DAMAGED, message=str(error))
    return Completed(message=done.message)
