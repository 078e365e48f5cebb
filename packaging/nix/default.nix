# nix-build packaging/nix. It was not run: the names are those of nixpkgs, the build that of CMake.
{ pkgs ? import <nixpkgs> { } }:

pkgs.stdenv.mkDerivation {
  pname = "saescope";
  # The version stands in the public header and nowhere else.
  version = builtins.head (builtins.match ".*#define SS_VERSION \"([0-9.]+)\".*"
    (builtins.readFile ../../include/saescope.h));
  src = pkgs.lib.cleanSource ../..;

  nativeBuildInputs = with pkgs; [ cmake ninja pkg-config python3 ];
  buildInputs = with pkgs; [
    brotli bzip2 cairo curl freetype libyaml lz4 openssl snappy xxHash xz zlib zstd
  ];
  cmakeFlags = [ "-DSS_TESTS=OFF" ];

  # Pictures look for this font where distributions have it, then ask fontconfig.
  propagatedBuildInputs = [ pkgs.dejavu_fonts ];

  doInstallCheck = true;
  installCheckPhase = ''
    $out/bin/saescope --version
    $out/bin/saescope tokenize --model ../tests/data/encoder/mpnet-mean \
      --dataset ../tests/data/run/rows.jsonl > /dev/null
  '';

  meta = {
    description = "What the features of a sparse autoencoder mean in a text dataset";
    license = pkgs.lib.licenses.mit;
    platforms = [ "x86_64-linux" ];
    mainProgram = "saescope";
  };
}
