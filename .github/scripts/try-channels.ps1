# Installs by Scoop and winget from manifests of this machine and runs the demo; for a clean machine that is thrown away.
param([Parameter(Mandatory)][string]$Channels, [Parameter(Mandatory)][string]$Version)
$ErrorActionPreference = 'Stop'
$PSNativeCommandUseErrorActionPreference = $true

function Test-Program([string]$Channel, [string]$Program) {
    if ((& $Program --version) -ne "fairlead $Version") { throw "${Channel}: another version" }
    $env:FAIRLEAD_HOME = Join-Path ([IO.Path]::GetTempPath()) ([guid]::NewGuid())
    & $Program demo --once
    Write-Output "ok   $Channel"
}

if (Get-Command scoop -ErrorAction SilentlyContinue) {
    $manifest = Get-ChildItem (Join-Path $Channels 'scoop') -Recurse -Filter fairlead.json | Select-Object -First 1
    scoop install $manifest.FullName
    Test-Program scoop (Join-Path $HOME 'scoop\shims\fairlead.exe')
} else {
    Write-Output '::warning::this runner has no Scoop'
}
if (Get-Command winget -ErrorAction SilentlyContinue) {
    winget settings --enable LocalManifestFiles
    $manifests = Get-ChildItem (Join-Path $Channels 'winget') -Recurse -Filter *.installer.yaml | Select-Object -First 1
    winget install --manifest $manifests.DirectoryName --accept-package-agreements --disable-interactivity
    # No link is made to a program that needs the files beside it: its own folder goes on PATH.
    $installed = Get-ChildItem (Join-Path $env:LOCALAPPDATA 'Microsoft\WinGet\Packages\fairlead.fairlead*') -Recurse -Filter fairlead.exe
    Test-Program winget ($installed | Select-Object -First 1).FullName
} else {
    Write-Output '::warning::this runner has no winget'
}
