"""Flow `evaluate`: a published version on a test set, in a process that loads networks."""

from typing import Annotated

from prefect import flow
from prefect.client.schemas.objects import State
from prefect.states import Completed, Failed
from pydantic import Field

from inclinet.storage.artifacts import DamagedArtifactError, Reference
from tasks.common import DAMAGED
from tasks.evaluate import predict_test_task

__all__ = ["evaluate"]


@flow(name="evaluate", flow_run_name="evaluate-{version}", persist_result=False)
def evaluate(
    version: Annotated[str, Field(description="Published version.")],
    samples: Annotated[dict[str, Reference], Field(description="Split artifacts by stored band.")],
) -> State:
    """Predict the test set with a published version, to judge it against another one."""
    try:
        done = predict_test_task(version, samples, return_state=True)
        done.result()
    except DamagedArtifactError as error:
        return Failed(name=DAMAGED, message=str(error))
    return Completed(message=done.message)
