"""A disk that is full or can't be written: said once, and work goes on."""
import lab
lab.enter()

import harness
from lab import run
from node import wait_for


class DiskTrouble(harness.MeshTest):
    def told_once(self, node):
        told = [line for line in node.log().splitlines() if "identity.key" in line or str(node.state_dir) in line]
        self.assertEqual(len(told), 1, told)

    def start_with(self, prepare):
        a, b = self.node("a"), self.node("b")
        (a.state_dir / "identity.key").unlink()
        prepare(a.state_dir)
        self.addCleanup(run, "umount", "--lazy", str(a.state_dir))
        a.start()
        a.id = a.status()["id"]
        a.knows(b)
        b.knows(a)
        a.write_config()
        self.assertEqual(a.post("/-/reload").status, 200)
        b.start()
        self.connected(a, b)
        self.told_once(a)
        self.assertEqual(len(a.events("trouble")), 1)

    def test_a_full_disk_at_the_first_start(self):
        def full(folder):
            run("mount", "-t", "tmpfs", "-o", "size=4k,mode=700", "tmpfs", str(folder))
            (folder / "ballast").write_bytes(bytes(4096))
        self.start_with(full)

    def test_a_state_directory_that_cannot_be_written(self):
        self.start_with(lambda folder: run("mount", "-t", "tmpfs", "-o", "ro,mode=700", "tmpfs", str(folder)))

    def test_a_log_on_a_full_disk(self):
        a, b = self.node("a"), self.node("b")
        logs = a.folder / "logs"
        logs.mkdir()
        run("mount", "-t", "tmpfs", "-o", "size=8k", "tmpfs", str(logs))
        self.addCleanup(run, "umount", "--lazy", str(logs))
        a.log_file = logs / "log"
        a.knows(b)
        b.knows(a)
        a.start()
        b.start()
        self.connected(a, b)
        for _ in range(30):  # some lines each, more than 8 KiB of them
            self.assertEqual(a.post(f"/api/v1/peers/{b.id}/disconnect").status, 200)
            self.assertEqual(a.post(f"/api/v1/peers/{b.id}/connect").status, 200)
        with self.assertRaises(OSError, msg="the disk is full by now"):
            (logs / "more").write_bytes(bytes(8192))
        wait_for("connected again", lambda: a.state_of(b) == "connected", 20)


if __name__ == "__main__":
    harness.main()
