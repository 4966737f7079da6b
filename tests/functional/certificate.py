"""A self-signed certificate for a relay's WebSocket."""
import pathlib
import subprocess


def make(folder: pathlib.Path, name: str = "relay", days: int = 30) -> tuple[pathlib.Path, pathlib.Path]:
    """Its file, and its key's, which nobody else may read."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}.key"
    subprocess.run(["openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes", "-days", str(days),
                    "-subj", f"/CN={name}", "-keyout", str(key), "-out", str(certificate)], check=True, capture_output=True)
    key.chmod(0o600)
    return certificate, key
