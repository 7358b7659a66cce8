# GNU General Public License v3.0+ (see LICENSE or https://www.gnu.org/licenses/gpl-3.0.txt)
"""Archives of images are described without being unpacked."""

from __future__ import annotations

import io
import json
import tarfile

import pytest
from ansible.errors import AnsibleLookupError
from ansible_collections.mainstay.platform.plugins.lookup import image_archive


def archive(path, config, mode="w:gz"):
    content = json.dumps([{"Config": config, "RepoTags": ["example/app:1"], "Layers": []}]).encode()
    with tarfile.open(path, mode) as made:
        member = tarfile.TarInfo("manifest.json")
        member.size = len(content)
        made.addfile(member, io.BytesIO(content))
    return path


@pytest.mark.parametrize("config", ["abc.json", "blobs/sha256/abc"])
@pytest.mark.parametrize("mode", ["w", "w:gz"])
def test_the_id_of_each_image_is_read(tmp_path, config, mode):
    assert image_archive.described(archive(tmp_path / "a.tar", config, mode)) == {"example/app:1": "sha256:abc"}


def test_what_is_no_archive_is_refused(tmp_path):
    (tmp_path / "a.tar").write_text("nothing")
    with pytest.raises(AnsibleLookupError, match="expected what `docker save` writes"):
        image_archive.LookupModule().run([str(tmp_path / "a.tar")])
