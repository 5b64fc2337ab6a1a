import inspect

import pytest
from pydantic import ValidationError

from flows.cutouts import cutouts
from flows.evaluate import evaluate
from flows.full import full
from flows.predict import predict
from flows.retrain import retrain
from flows.settings import AUGMENT, TRAIN, ServiceAugment, ServiceTrain
from flows.train import train
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


@pytest.mark.parametrize("flow", [full, retrain, train, evaluate, predict, cutouts], ids=lambda flow: flow.name)
def test_every_field_of_a_form_has_a_title_and_a_description_that_html_keeps(flow):
    schema = flow.parameters.model_dump()
    fields = dict(schema["properties"])
    for definition in schema["definitions"].values():
        fields |= definition.get("properties", {})
    for name, field in fields.items():
        shown = field if "title" in field else schema["definitions"][field["$ref"].rpartition("/")[2]]
        assert shown["title"][0].isupper(), name
        assert shown["title"] != name
        assert "<" not in shown.get("description", "")
    assert all("description" in field or "$ref" in field for field in schema["properties"].values())
