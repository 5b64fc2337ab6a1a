import inspect

import pytest
from pydantic import ValidationError

from flows.full import full
from flows.retrain import retrain
from flows.settings import AUGMENT, TRAIN, ServiceAugment, ServiceTrain
from inclinet.settings import Augment, Train


@pytest.mark.parametrize("flow", [full, retrain])
def test_a_run_without_settings_trains_for_60_steps_of_1800_images(flow):
    defaults = {name: parameter.default for name, parameter in inspect.signature(flow.fn).parameters.items()}
    assert defaults["size"] == 64
    assert defaults["train"].steps(defaults["augment"].nbatch) == 60
    assert defaults["augment"].batchsize * 2 * 9 == 1800


def test_settings_left_out_have_the_service_s_defaults_too():
    assert ServiceAugment.model_validate({"seed": 3}) == AUGMENT.model_copy(update={"seed": 3})
    assert ServiceTrain.model_validate({"models": ["model6"]}).N_batch_iter == TRAIN.N_batch_iter


@pytest.mark.parametrize("flow", [full, retrain])
def test_the_form_shows_these_defaults(flow):
    schema = flow.parameters.model_dump()
    assert schema["properties"]["augment"]["default"]["batchsize"] == AUGMENT.batchsize
    assert schema["definitions"]["ServiceAugment"]["properties"]["batchsize"]["default"] == AUGMENT.batchsize
    assert schema["properties"]["size"]["default"] == 64


@pytest.mark.parametrize(
    ("service", "command_line"), [(ServiceAugment, Augment), (ServiceTrain, Train)], ids=["augment", "train"]
)
def test_bounds_and_descriptions_are_those_of_the_command_line(service, command_line):
    for name, field in command_line.model_fields.items():
        mine = service.model_fields[name]
        assert (mine.description, mine.metadata) == (field.description, field.metadata)


def test_bad_settings_are_refused():
    with pytest.raises(ValidationError):
        ServiceAugment(nbatch=0)
