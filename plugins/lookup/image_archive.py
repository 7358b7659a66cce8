# Copyright (c) 2026 the mainstay.platform authors
# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
# SPDX-License-Identifier: GPL-3.0-or-later

from __future__ import annotations

DOCUMENTATION = r"""
name: image_archive
short_description: What a container image archive on the controller holds
version_added: 0.1.0
author:
  - The mainstay.platform authors (@mainstay)
description:
  - Reads the description of an archive that C(docker save) wrote, compressed or not, without unpacking it.
options:
  _terms:
    description: Paths of archives on the controller.
    type: list
    elements: path
    required: true
"""

EXAMPLES = r"""
- name: Show the id of the image in an archive
  ansible.builtin.debug:
    msg: "{{ lookup('mainstay.platform.image_archive', 'app-1.0.0.tar.gz').images['example/app:1.0.0'] }}"
"""

RETURN = r"""
_raw:
  description: One dictionary per archive.
  type: list
  elements: dict
  contains:
    path:
      description: The archive.
      type: str
    images:
      description: The id of each image, by its name.
      type: dict
      sample: {'example/app:1.0.0': 'sha256:3eace0da985a'}
"""

import json
import tarfile

from ansible.errors import AnsibleLookupError
from ansible.plugins.lookup import LookupBase


def described(path):
    """The ids of the images in an archive, by name."""
    with tarfile.open(path) as archive:
        for member in archive:
            if member.name == "manifest.json":
                manifest = json.load(archive.extractfile(member))
                return {
                    name: "sha256:" + image["Config"].rsplit("/", 1)[-1].removesuffix(".json")
                    for image in manifest
                    for name in image["RepoTags"] or []
                }
    raise ValueError("it has no manifest.json")


class LookupModule(LookupBase):
    """Archives of images, described."""

    def run(self, terms, variables=None, **kwargs):
        found = []
        for term in terms:
            try:
                found.append({"path": str(term), "images": described(str(term))})
            except (OSError, ValueError, KeyError, tarfile.TarError) as error:
                raise AnsibleLookupError(
                    f"image archive {term}: found nothing readable ({error}); "
                    "expected what `docker save` writes; build it first"
                ) from error
        return found
