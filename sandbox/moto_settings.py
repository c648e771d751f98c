"""What moto reads while it is imported: its settings, and Debian's machine images."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

# Debian's own account: https://wiki.debian.org/Cloud/AmazonEC2Image
OWNER = "136693071363"
RELEASES = {"12": ("20250814-2204", "20251006-2257"), "13": ("20250814-2205", "20251006-2257")}
ARCHITECTURES = {"amd64": "x86_64", "arm64": "arm64"}


def variables(amis: Path, port: int) -> dict[str, str]:
    """Give the environment of the process that imports moto."""
    return {
        "MOTO_AMIS_PATH": str(amis),
        "MOTO_IAM_LOAD_MANAGED_POLICIES": "true",
        # A bucket of another account is forbidden, not ours to use.
        "MOTO_S3_ALLOW_CROSSACCOUNT_ACCESS": "false",
        # AWS refuses what does not exist; moto only does when asked to.
        "MOTO_ENABLE_AMI_VALIDATION": "true",
        "MOTO_ENABLE_KEYPAIR_VALIDATION": "true",
        "MOTO_EC2_ENABLE_INSTANCE_TYPE_VALIDATION": "true",
        "MOTO_PORT": str(port),
    }


def images() -> list[dict[str, Any]]:
    """List two dates of each release, so that somebody who wants the newest has to choose."""
    found = []
    for release, stamps in RELEASES.items():
        for architecture, ec2_name in ARCHITECTURES.items():
            for number, stamp in enumerate(stamps):
                name = f"debian-{release}-{architecture}-{stamp}"
                day = stamp.split("-")[0]
                found.append(
                    {
                        # As long as a real one, and the same each time.
                        "ami_id": f"ami-{release}{'a' if architecture == 'amd64' else 'b'}{number}{'0' * 13}",
                        "name": name,
                        "description": f"Debian {release} ({day}-{stamp.split('-')[1]})",
                        "owner_id": OWNER,
                        "public": True,
                        "virtualization_type": "hvm",
                        "architecture": ec2_name,
                        "state": "available",
                        "platform": None,
                        "image_type": "machine",
                        "image_location": f"amazon/{name}",
                        "hypervisor": "xen",
                        "root_device_type": "ebs",
                        "root_device_name": "/dev/xvda",
                        "sriov": "simple",
                        "creation_date": f"{day[:4]}-{day[4:6]}-{day[6:]}T00:00:00.000Z",
                    }
                )
    return found


def write_images(path: Path) -> None:
    """Write the file that MOTO_AMIS_PATH names."""
    path.write_text(json.dumps(images(), indent=1), encoding="utf-8")
