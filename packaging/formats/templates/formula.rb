class Fairlead < Formula
  desc "@SUMMARY@"
  homepage "@HOMEPAGE@"
  version "@VERSION@"
  license "@LICENSE@"

@SYSTEMS@

  resource "share" do
    url "@SHARE_URL@"
    sha256 "@SHARE_SHA256@"
  end

  def install
    libexec.install Dir["*"]
    bin.install_symlink libexec/"fairlead"
    resource("share").stage do
      man1.install Dir["man/*.1"]
      man5.install Dir["man/*.5"]
      bash_completion.install "completions/fairlead.bash" => "fairlead"
      zsh_completion.install "completions/_fairlead"
      fish_completion.install "completions/fairlead.fish"
    end
  end

  test do
    assert_match "fairlead #{version}", shell_output("#{bin}/fairlead --version")
  end
end
