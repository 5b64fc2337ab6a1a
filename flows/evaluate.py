"""Flow `evaluate`: predicts a test set with a published version, in a process that loads networks."""

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from flows.fence import fenced
from flows.same_code import Code, check_same_code
from inclinet.storage.artifacts import DamagedArtifactError, Reference
from tasks.champion import predict_test_task
from tasks.common import DAMAGED

__all__ = ["evaluate"]


@flow(name="evaluate", flow_run_name="evaluate-{version}", persist_result=False)
def evaluate(
    version: Annotated[str, Field(description="Published version.")],
    samples: Annotated[dict[str, Reference], Field(description="Split artifacts by stored band.")],
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
