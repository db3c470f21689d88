"""Serves moto on a free port, with what its services leave out. Ends when standard input does."""
import logging
import os
import sys

import botocore.session
from moto.core.responses import ActionResult
from moto.ec2.models.elastic_network_interfaces import NetworkInterface
from moto.ec2.responses.instances import InstanceResponse
from moto.ecs.exceptions import InvalidParameterException
from moto.ecs.models import EC2ContainerServiceBackend
from moto.kms.responses import KmsResponse
from moto.server import ThreadedMotoServer
from moto.ssm.responses import SimpleSystemManagerResponse
from moto.stepfunctions.parser.asl.component.state.exec.state_task.service.state_task_service_ecs import (
    StateTaskServiceEcs,
)
from moto.stepfunctions.parser.backend.execution import Execution
from moto.stepfunctions.responses import StepFunctionResponse

logging.getLogger("werkzeug").setLevel(logging.ERROR)

run_instances = InstanceResponse.run_instances
list_grants = KmsResponse.list_grants
stop_task = EC2ContainerServiceBackend.stop_task
association = NetworkInterface.association.fget


def run_instances_whole(self):
    """Moto forgets enclave options, protection and the groups of a network interface: plans would never be empty."""
    answer = run_instances(self)
    options = self._get_param("EnclaveOptions", {})
    interfaces = self._get_param("NetworkInterfaces", [])
    groups = interfaces[0].get("Groups", []) if interfaces else []
    for instance in answer.result.instances:
        instance.enclave_options = {"Enabled": bool(options.get("Enabled", False))}
        instance.disable_api_termination = bool(self._get_param("DisableApiTermination", False))
        if groups:
            self.ec2_backend.modify_instance_security_groups(instance.id, groups)
    return answer


def association_or_none(self):
    """An empty one stands for a public address."""
    return association(self) or None


def validate_state_machine_definition(self):
    """The provider asks at every plan; without an answer it retries for minutes."""
    return ActionResult({"result": "OK", "diagnostics": []})


def list_state_machine_versions(self):
    return ActionResult({"stateMachineVersions": []})


def stop_task_or_say(self, cluster_str, task_str, reason):
    """Moto fails by itself where ECS says that no task is found."""
    tasks = self.tasks.get(self._get_cluster(cluster_str).name, {})
    if not any(arn.endswith(task_str.split("/")[-1]) for arn in tasks):
        raise InvalidParameterException("The referenced task was not found.")
    return stop_task(self, cluster_str, task_str, reason)


def list_grants_or_say(self):
    """Moto fails by itself where KMS says that there is no such key."""
    self._validate_cmk_id(self._get_param("KeyId"))
    return list_grants(self)


def describe_instance_information(self):
    """No host there has an agent."""
    return ActionResult({"InstanceInformationList": []})


InstanceResponse.run_instances = run_instances_whole
SimpleSystemManagerResponse.describe_instance_information = describe_instance_information
KmsResponse.list_grants = list_grants_or_say
EC2ContainerServiceBackend.stop_task = stop_task_or_say
NetworkInterface.association = property(association_or_none)
StepFunctionResponse.validate_state_machine_definition = validate_state_machine_definition
StepFunctionResponse.list_state_machine_versions = list_state_machine_versions

def ecs_shapes(action):
    """Moto knows how to turn Step Functions' spelling (`TaskArn`) into the API's (`taskArn`) and back, but does not."""
    model = botocore.session.get_session().get_service_model("ecs")
    return model.operation_model("".join(word.capitalize() for word in action.split("_")))


def normalise_parameters(self, parameters, boto_service_name=None, service_action_name=None):
    action = self._get_boto_service_action(service_action_name)
    self._to_boto_request(parameters, ecs_shapes(action).input_shape)


def normalise_response(self, response, boto_service_name=None, service_action_name=None):
    action = self._get_boto_service_action(service_action_name)
    self._from_boto_response(response, ecs_shapes(action).output_shape)


StateTaskServiceEcs._normalise_parameters = normalise_parameters
StateTaskServiceEcs._normalise_response = normalise_response

# A start copies the state machine with all its executions, and a begun one holds a lock that no copy can be made of.
Execution.__deepcopy__ = lambda self, memo: self

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
# Where executions of state machines call the other services.
os.environ["MOTO_PORT"] = str(port)
print(f"http://{host}:{port}", flush=True)
# Whoever started this program holds the other end: no server outlives its test, however the test ends.
sys.stdin.read()
