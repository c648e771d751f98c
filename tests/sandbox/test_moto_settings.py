"""Debian's machine images, found as a playbook finds them."""

from __future__ import annotations

from sandbox.moto_settings import OWNER

from .conftest import Clients


def test_the_newest_image_of_a_release_is_found(aws: Clients) -> None:
    """By Debian's account, the name's pattern and the architecture; the dates decide."""
    for release in ("12", "13"):
        for architecture, ec2_name in (("amd64", "x86_64"), ("arm64", "arm64")):
            filters = [{"Name": "name", "Values": [f"debian-{release}-{architecture}-*"]}]
            images = aws("ec2").describe_images(Owners=[OWNER], Filters=filters)["Images"]
            assert len(images) == 2
            newest = max(images, key=lambda image: str(image["CreationDate"]))
            assert newest["Name"] == max(image["Name"] for image in images)
            assert newest["Architecture"] == ec2_name
            assert newest["RootDeviceName"] == "/dev/xvda"
            assert len(newest["ImageId"]) == len("ami-0123456789abcdef0")
