"""Serves moto on a free port, with what its EC2 and Step Functions leave out. Ends when standard input does."""
import logging
import sys

from moto.core.responses import ActionResult
from moto.ec2.responses.instances import InstanceResponse
from moto.server import ThreadedMotoServer
from moto.stepfunctions.responses import StepFunctionResponse

logging.getLogger("werkzeug").setLevel(logging.ERROR)

run_instances = InstanceResponse.run_instances


def run_instances_whole(self):
    """Moto forgets the enclave options, and the groups of a network interface: plans would never be empty."""
    answer = run_instances(self)
    options = self._get_param("EnclaveOptions", {})
    interfaces = self._get_param("NetworkInterfaces", [])
    groups = interfaces[0].get("Groups", []) if interfaces else []
    for instance in answer.result.instances:
        instance.enclave_options = {"Enabled": bool(options.get("Enabled", False))}
        if groups:
            self.ec2_backend.modify_instance_security_groups(instance.id, groups)
    return answer


def validate_state_machine_definition(self):
    """The provider asks at every plan; without an answer it retries for minutes."""
    return ActionResult({"result": "OK", "diagnostics": []})


def list_state_machine_versions(self):
    return ActionResult({"stateMachineVersions": []})


InstanceResponse.run_instances = run_instances_whole
StepFunctionResponse.validate_state_machine_definition = validate_state_machine_definition
StepFunctionResponse.list_state_machine_versions = list_state_machine_versions

server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
server.start()
host, port = server.get_host_and_port()
print(f"http://{host}:{port}", flush=True)
# Whoever started this program holds the other end: no server outlives its test, however the test ends.
sys.stdin.read()
