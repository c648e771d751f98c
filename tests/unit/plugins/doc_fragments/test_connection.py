"""The shared documentation of a connection is what the modules share."""

from __future__ import annotations

import pytest
import yaml
from ansible_collections.mlops.mlflow.plugins.doc_fragments.connection import ModuleDocFragment
from ansible_collections.mlops.mlflow.plugins.module_utils import connection
from ansible_collections.mlops.mlflow.plugins.modules import (
    mlflow_access_info,
    mlflow_permission,
    mlflow_role,
    mlflow_user,
)
from ansible_collections.mlops.mlflow.tests.unit.support.documentation import documentable, specified

SHARED = yaml.safe_load(ModuleDocFragment.DOCUMENTATION)


def test_it_documents_the_connections_arguments() -> None:
    assert specified(SHARED["options"]) == documentable(connection.ADMIN_ARGUMENTS)


@pytest.mark.parametrize("module", [mlflow_access_info, mlflow_permission, mlflow_role, mlflow_user])
def test_a_modules_options_are_its_own_and_these(module: object) -> None:
    documented = yaml.safe_load(module.DOCUMENTATION)  # type: ignore[attr-defined]
    own = specified(documented.get("options", {}))
    arguments = documentable(module.ARGUMENTS)  # type: ignore[attr-defined]
    assert {**own, **specified(SHARED["options"])} == arguments
    assert own.keys() & SHARED["options"].keys() == set()
    assert "mlops.mlflow.connection" in documented["extends_documentation_fragment"]
