"""What users do with the official clients, against the emulator that the environment names.

ONEDATA_CASE is a JSON file: zone (host), authority (PEM file), tokens (name -> file), space (name and id), pages (a
directory with more entries than a page holds, and how many).
"""

import json
import os
import unittest

with open(os.environ["ONEDATA_CASE"], encoding="utf-8") as file:
    CASE = json.load(file)
SPACE = CASE["space"]["name"]
PAGES = CASE["pages"]


def token(name="all"):
    with open(CASE["tokens"][name], encoding="utf-8") as token_file:
        return token_file.read()


class FileRestClient(unittest.TestCase):
    """onedatafilerestclient: discovery through the zone, then every call that it has."""

    def client(self, name="all"):
        from onedatafilerestclient import OnedataFileRESTClient

        # Handed on to requests, which takes the file of an authority here too.
        return OnedataFileRESTClient(CASE["zone"], token(name), verify_ssl=CASE["authority"])

    def failure(self, work, *args, **kwargs):
        from onedatafilerestclient.errors import OnedataRESTError

        with self.assertRaises(OnedataRESTError) as caught:
            work(*args, **kwargs)
        details = caught.exception.details or {}
        return caught.exception.http_code, caught.exception.category, details.get("errno")

    def test_discovery(self):
        client = self.client()
        self.assertIn(SPACE, client.list_spaces())
        self.assertEqual(client.get_space_id(SPACE), CASE["space"]["id"])
        self.assertFalse(client.get_token_scope()["dataAccessScope"]["readonly"])

    def test_listing_over_several_pages(self):
        client, names, token_of_page, pages = self.client(), [], None, 0
        while True:
            page = client.list_children(
                SPACE, file_path=PAGES["path"], attributes=["name", "type", "size"],
                continuation_token=token_of_page,
            )
            names += [child["name"] for child in page["children"]]
            pages += 1
            if page["isLast"]:
                break
            token_of_page = page["nextPageToken"]
        self.assertEqual(len(names), PAGES["count"])
        self.assertEqual(names, sorted(names))
        self.assertGreater(pages, 2)

    def test_life_of_a_file(self):
        client = self.client()
        made = client.create_file(SPACE, "life/of a/file ü", create_parents=True)
        self.assertEqual(client.get_file_id(SPACE, file_path="life/of a/file ü"), made)
        client.put_file_content(SPACE, b"0123456789", file_path="life/of a/file ü")
        client.put_file_content(SPACE, b"AB", offset=4, file_id=made)
        self.assertEqual(client.get_file_content(SPACE, file_id=made), b"0123AB6789")
        self.assertEqual(client.get_file_content(SPACE, offset=3, size=3, file_id=made), b"3AB")
        self.assertEqual(b"".join(client.iter_file_content(SPACE, file_id=made, chunk_size=3)), b"0123AB6789")
        attributes = client.get_attributes(SPACE, file_id=made)
        self.assertEqual((attributes["name"], attributes["type"], attributes["size"]), ("file ü", "REG", 10))
        client.set_attributes(SPACE, {"mode": "0640"}, file_id=made)
        self.assertEqual(
            client.get_attributes(SPACE, attributes=["posixPermissions"], file_id=made), {"posixPermissions": "640"}
        )
        client.move(SPACE, "life/of a/file ü", SPACE, "life/moved")
        self.assertEqual(client.get_file_id(SPACE, file_path="life/moved"), made)
        client.remove(SPACE, file_path="life/moved")
        self.assertEqual(
            self.failure(client.get_attributes, SPACE, file_path="life/moved"), (400, "posix", "enoent")
        )
        client.remove(SPACE, file_path="life")

    def test_metadata(self):
        client = self.client()
        made = client.create_file(SPACE, "with metadata")
        self.assertEqual(self.failure(client.get_json_metadata, SPACE, file_id=made), (400, "posix", "enodata"))
        client.set_json_metadata(SPACE, {"run": [1, {"ok": True}]}, file_id=made)
        client.set_extended_attribute(SPACE, {"sum": "abc"}, file_id=made)
        client.set_rdf_metadata(SPACE, b"<rdf/>", file_id=made)
        self.assertEqual(client.get_json_metadata(SPACE, file_id=made), {"run": [1, {"ok": True}]})
        self.assertEqual(client.get_extended_attribute(SPACE, file_id=made)["sum"], "abc")
        self.assertEqual(client.get_rdf_metadata(SPACE, file_id=made), "<rdf/>")
        client.remove(SPACE, file_id=made)

    def test_errors(self):
        from onedatafilerestclient.errors import ReadonlyTokenError, SpaceNotFoundError

        client = self.client()
        client.create_file(SPACE, "there")
        self.assertEqual(self.failure(client.create_file, SPACE, "there"), (400, "posix", "eexist"))
        self.assertEqual(self.failure(client.create_file, SPACE, "no/parent"), (400, "posix", "enoent"))
        self.assertEqual(self.failure(client.create_file, SPACE, "there/below"), (400, "posix", "enotdir"))
        self.assertEqual(
            self.failure(client.put_file_content, SPACE, b"x", file_id=CASE["space"]["id"]), (400, "posix", "eisdir")
        )
        self.assertEqual(
            self.failure(client.get_file_content, SPACE, offset=50, size=2, file_path="there")[0], 416
        )
        with self.assertRaises(SpaceNotFoundError):
            client.get_attributes("no such space")
        with self.assertRaises(ReadonlyTokenError):
            self.client("readonly").create_file(SPACE, "refused")
        self.assertEqual(self.failure(self.client("expired").list_spaces)[:2], (400, "tokenCaveatUnverified"))
        client.remove(SPACE, file_path="there")


class FileSystem(unittest.TestCase):
    """fs.onedatarestfs, a PyFilesystem."""

    def setUp(self):
        from fs.onedatarestfs import OnedataRESTFS

        self.fs = OnedataRESTFS(CASE["zone"], token(), space=SPACE, verify_ssl=CASE["authority"])

    def test_files_and_directories(self):
        from fs import errors

        fs = self.fs
        fs.makedirs("pyfs/deep/er")
        with fs.openbin("pyfs/deep/data", "w") as out:
            out.write(b"0123456789")
        with fs.openbin("pyfs/deep/data", "r") as source:
            source.seek(4)
            self.assertEqual(source.read(3), b"456")
        info = fs.getinfo("pyfs/deep/data", namespaces=["details"])
        self.assertEqual((info.name, info.is_dir, info.size), ("data", False, 10))
        self.assertEqual(sorted(fs.listdir("pyfs/deep")), ["data", "er"])
        fs.move("pyfs/deep/data", "pyfs/moved")
        self.assertEqual(fs.readbytes("pyfs/moved"), b"0123456789")
        # Opening for writing alone does not empty the file with this client.
        with fs.openbin("pyfs/moved", "w") as out:
            out.truncate(0)
            out.write(b"new")
        self.assertEqual(fs.readbytes("pyfs/moved"), b"new")
        with self.assertRaises(errors.ResourceNotFound):
            fs.getinfo("pyfs/absent")
        with self.assertRaises(errors.ResourceNotFound):
            fs.getinfo("pyfs/moved/below")
        with self.assertRaises(errors.DirectoryNotEmpty):
            fs.removedir("pyfs/deep")
        with self.assertRaises(errors.DirectoryExists):
            fs.makedir("pyfs/deep")
        fs.removetree("pyfs")
        self.assertFalse(fs.exists("pyfs"))

    def test_long_directories(self):
        self.assertEqual(len(self.fs.listdir(PAGES["path"])), PAGES["count"])
        self.assertEqual(len(list(self.fs.scandir(PAGES["path"], page=(2300, 2310)))), 10)


class FsSpec(unittest.TestCase):
    """onedatarestfsspec, a filesystem of fsspec."""

    def setUp(self):
        from onedatarestfsspec import OnedataFileSystem

        self.fs = OnedataFileSystem(
            onezone_host=CASE["zone"], token=token(), verify_ssl=CASE["authority"], skip_instance_cache=True
        )

    def test_files_and_directories(self):
        fs, base = self.fs, f"/{SPACE}/fsspec"
        fs.makedirs(f"{base}/deep/er", exist_ok=True)
        fs.makedirs(f"{base}/deep/er", exist_ok=True)
        with fs.open(f"{base}/deep/data", "wb") as out:
            out.write(b"0123456789")
        self.assertEqual(fs.cat_file(f"{base}/deep/data"), b"0123456789")
        self.assertEqual(fs.cat_file(f"{base}/deep/data", start=2, end=5), b"234")
        info = fs.info(f"{base}/deep/data")
        self.assertEqual((info["type"], info["size"]), ("file", 10))
        fs.cp_file(f"{base}/deep/data", f"{base}/copy")
        self.assertEqual({entry["name"].rsplit("/")[-1] for entry in fs.ls(base, detail=True)}, {"deep", "copy"})
        with self.assertRaises(FileNotFoundError):
            fs.info(f"{base}/absent")
        self.assertFalse(fs.exists(f"{base}/absent"))
        fs.rm_file(f"{base}/copy")
        fs.rmdir(f"{base}/deep")
        self.assertEqual(fs.ls(base), [])
        fs.rmdir(base)


class Macaroons(unittest.TestCase):
    """Tokens are macaroons that any library reads, and that anyone narrows without asking the zone."""

    # Base 64 for URLs, with the characters escaped that base 62 does not have.
    ESCAPES = {"0": "00", "_": "01", "-": "02"}

    def test_a_token_is_read_and_narrowed(self):
        from onedatafilerestclient.errors import ReadonlyTokenError
        from onedatafilerestclient import OnedataFileRESTClient
        from pymacaroons import Macaroon

        back = {value: key for key, value in self.ESCAPES.items()}
        text, plain, at = token(), "", 0
        while at < len(text):
            step = 2 if text[at] == "0" else 1
            plain += back[text[at:at + 2]] if step == 2 else text[at]
            at += step
        macaroon = Macaroon.deserialize(plain)
        self.assertEqual(macaroon.location, CASE["zoneDomain"])
        self.assertTrue(macaroon.identifier.startswith("2/nmd/usr-"))
        macaroon.add_first_party_caveat("data.readonly")
        narrowed = "".join(self.ESCAPES.get(character, character) for character in macaroon.serialize())
        client = OnedataFileRESTClient(CASE["zone"], narrowed, verify_ssl=CASE["authority"])
        self.assertTrue(client.get_token_scope()["dataAccessScope"]["readonly"])
        with self.assertRaises(ReadonlyTokenError):
            client.create_file(SPACE, "refused")


if __name__ == "__main__":
    unittest.main()
